// Makes the pictures to play with live: every <figure class="play"> gets a slider.
//
// Such a figure (stlib/course/play.py writes it) holds a still picture, its caption, and a list that
// says of every picture its file, its value, what it shows and what was measured. A figure of class
// "wipe" holds two pictures; its slider says how much of the second lies over the first.
"use strict";
{
  const here = document.currentScript.src; // the pictures lie beside this file
  const colon = document.documentElement.lang.startsWith("zh") ? "：" : ": ";

  function steps(figure) {
    const picture = figure.querySelector("img");
    const said = figure.querySelector("output");
    const items = [...figure.querySelectorAll("li")].map((item) => {
      const [label, shows, caption] = [...item.children].map((part) => part.textContent);
      return { label, shows, caption, source: new URL(item.dataset.file, here).href };
    });
    figure.addEventListener("focusin", () => {
      for (const { source } of items) new Image().src = source; // none has to be waited for
    }, { once: true });

    function show(value) {
      const { label, shows, caption, source } = items[value];
      picture.src = source;
      picture.alt = shows;
      said.textContent = `${label}${colon}${caption}`;
      return label;
    }
    return { most: items.length - 1, step: 1, start: Number(figure.dataset.still), show };
  }

  function wipe(figure) {
    const above = figure.querySelector("li:last-child b").textContent;

    function show(value) {
      figure.style.setProperty("--above", `${value}%`);
      return `${value} % ${above}`;
    }
    return { most: 100, step: 5, start: 50, show };
  }

  function enliven(figure) {
    const { most, step, start, show } = (figure.matches(".wipe") ? wipe : steps)(figure);
    const label = document.createElement("label");
    const slider = document.createElement("input");
    const value = document.createElement("span");
    Object.assign(slider, { type: "range", min: 0, max: most, step, value: start });
    slider.autocomplete = "off"; // else some browsers keep its place, but not the picture
    value.setAttribute("aria-hidden", "true"); // the slider says it itself
    const move = () => {
      value.textContent = show(slider.valueAsNumber);
      slider.setAttribute("aria-valuetext", value.textContent);
    };
    slider.addEventListener("input", move);
    label.append(figure.dataset.control, slider, value);
    figure.querySelector("figcaption").before(label);
    figure.classList.add("live");
    move();
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("figure.play").forEach(enliven);
  });
}
