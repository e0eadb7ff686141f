/* Sphinx's search in Chinese stems English words by a class that Sphinx 9.0 does not bring along. */
if (typeof ChineseStemmer === "undefined") {
  window.ChineseStemmer = class {
    stemWord(word) {
      return typeof EnglishStemmer === "undefined" ? word : new EnglishStemmer().stemWord(word);
    }
  };
}
