"""Write the Chinese notebooks from the English ones and the catalogue.

python scripts/translations.py extract   bring the catalogue up to date with the English text
python scripts/translations.py compile   write what stlib reads from its part of the catalogue
python scripts/translations.py write     write notebooks/zh-CN
python scripts/translations.py check     list what is missing, and what differs in its formulas

The catalogue is locale/zh_CN/LC_MESSAGES: one file for each page, and one message for each block of
text, which is a paragraph, a heading, an item of a list or a cell of a table, as Markdown's parser
sees them. A block whose English has changed becomes fuzzy; a test then fails until somebody has
looked at it. What the code of a chapter says has the context "code": its comments and all literals
with two words, and others that are chosen by hand, since only a reader can tell a title of one word
from the key of a table. What must stay, such as a file's name, is its own translation.
"""

import argparse
import io
import json
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

ROOT = Path(__file__).parents[1]
CATALOGUE = ROOT / "locale/zh_CN/LC_MESSAGES"
CHINESE = ROOT / "notebooks/zh-CN"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# those that are written by hand in both languages, such as the README, are not among them
TEXTS = [
    *(ROOT / "EQUATIONS.md", ROOT / "CHANGELOG.md", ROOT / "reading/index.md"),
    *(ROOT / "experiments/README.md", ROOT / "benchmarks/research/README.md"),
    *(ROOT / f"benchmarks/{name}.md" for name in ("RESULTS", "PICTURES", "PARTS", "FLICKER")),
    ROOT / "stlib/samples/CREDITS.md",
]
PAGES = [*NOTEBOOKS, *TEXTS]

PACKAGE = CATALOGUE / "stlib.po"
PLAY = ROOT / "stlib/course/play.json"
COMPILED = ROOT / "stlib/locale/zh_CN/LC_MESSAGES/stlib.mo"

PARSER = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin)
NO_WORDS = re.compile(r"(\$[^$]*\$|`[^`]*`|[\d\s.,…–×−+/%|:()-])*")
IN_FORMULA = re.compile(r"\\text\{\s*([^}]*?)\s*\}")
SUMMARY = re.compile(r"<summary>(.*?)</summary>")
CONTENTS = re.compile(r"^(?::caption: (.+)|(.+) <\S+>)$", re.MULTILINE)
LINK = re.compile(r"(?<=\]\()([^)\s#]*)(#[^)\s]*)?(?=\))")
# this line changes whenever the notebooks are executed
TAKES = re.compile(r"\*\*Takes\*\* (\d+) minutes to read, (\d+) s to run, (\d+) MB of memory\.")
TAKES_IN_CHINESE = r"**需要** 阅读 \1 分钟，运行 \2 s，内存 \3 MB。"
LINE_WIDTH = 100  # of the catalogue's files


@dataclass(frozen=True)
class Block:
    """A piece of text that is translated as a whole: lines [first, end) of its Markdown."""

    text: str
    first: int
    end: int


def blocks(markdown: str) -> Iterator[Block]:
    """The blocks in their order, without those that hold only numbers, formulas or code."""
    for token in PARSER.parse(markdown):
        if token.type == "inline":
            found = [token.content]
        elif token.type == "html_block":
            found = SUMMARY.findall(token.content)
        elif token.type in ("math_block", "math_block_label"):
            found = IN_FORMULA.findall(token.content)
        elif token.type == "fence" and token.info == "{toctree}":
            found = [caption or title for caption, title in CONTENTS.findall(token.content)]
        else:
            continue
        for text in found:
            if not NO_WORDS.fullmatch(text):
                yield Block(text, *token.map)


def translated(markdown: str, translate: Callable[[str], str]) -> str:
    """The same Markdown with each block's words in another language.

    translate: the words for a block's text; the text itself where it stays.
    """
    lines = markdown.split("\n")
    for block in reversed(list(blocks(markdown))):
        # an item of a list has its sign before it, a cell of a table its neighbours around it
        whole = "\n".join(lines[block.first : block.end])
        before, after = around(whole, block.text)
        indent = "\n" + " " * len(before.rsplit("\n", 1)[-1])
        words = translate(block.text).replace("\n", indent)
        lines[block.first : block.end] = [before + words + after]
    return "\n".join(lines)


def around(whole: str, text: str) -> tuple[str, str]:
    """What stands before and after a block's text in its lines; the later ones may be indented."""
    pattern = r"\n\s*".join(re.escape(line).replace(r"\|", r"\\?\|") for line in text.split("\n"))
    # the last one: where a table repeats a cell, its blocks are replaced from the end
    found = list(re.finditer(pattern, whole))
    if not found:
        raise ValueError(f"the block {text!r} is not in its lines {whole!r}: say it more simply.")
    return whole[: found[-1].start()], whole[found[-1].end() :]


@dataclass(frozen=True)
class Words:
    """What code says to people: the inside of a string literal, or a comment after its sign."""

    text: str
    start: int
    end: int


LITERAL = re.compile(r"""[a-zA-Z]*(\"{3}|'{3}|"|')(.*)\1""", re.DOTALL)
PLACEHOLDER = re.compile(r"\{[^{}]*\}")
ONE_WORD = re.compile(r"(?<![\w./-])[A-Za-z]{2,}(?![\w./-])")
TWO_WORDS = re.compile(r"[A-Za-z]{2,}[,:;]? [A-Za-z]{2,}")


def words_in(source: str) -> Iterator[Words]:
    """The words of Python's source, in their order."""
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    opened: list[tuple[int, int]] = []  # from Python 3.12 on, an f-string is several tokens
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        name = tokenize.tok_name[token.type]
        end = starts[token.end[0] - 1] + token.end[1]
        if name in ("STRING", "FSTRING_START"):
            opened.append(token.start)
        if name in ("STRING", "FSTRING_END"):
            row, column = opened.pop()
            found = LITERAL.fullmatch(source, starts[row - 1] + column, end)
            if found and not opened:
                yield Words(found[2], *found.span(2))
        if name == "COMMENT":
            text = token.string.removeprefix("# ")
            yield Words(text, end - len(text), end)


def code_translated(source: str, translate: Callable[[str], str]) -> str:
    """The same code with the words of its literals and comments in another language."""
    for words in reversed(list(words_in(source))):
        source = f"{source[: words.start]}{translate(words.text)}{source[words.end :]}"
    return source


def for_readers(source: str) -> list[str]:
    """The words of a code cell that are surely for people: two of them, or one beside a {field}."""

    def are(text: str) -> bool:
        plain = PLACEHOLDER.sub(" ", text)
        return bool(TWO_WORDS.search(plain) or (plain != text and ONE_WORD.search(plain)))

    return [words.text for words in words_in(source) if are(words.text)]


def messages(page: Path) -> list[str]:
    """The blocks of a page that are in its catalogue, each once."""
    sources = texts(page) if page.suffix == ".ipynb" else [page.read_text("utf-8")]
    found = dict.fromkeys(block.text for source in sources for block in blocks(source))
    return [text for text in found if not TAKES.fullmatch(text)]


def texts(notebook: Path, kind: str = "markdown") -> list[str]:
    """The sources of a notebook's cells of a kind."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == kind]


def messages_in_code(page: Path) -> list[str]:
    """The words of a notebook's code that must be in its catalogue, each once."""
    sources = texts(page, "code") if page.suffix == ".ipynb" else []
    return list(dict.fromkeys(words for source in sources for words in for_readers(source)))


def catalogue_of(page: Path) -> Path:
    parts = page.relative_to(ROOT).with_suffix("").parts
    name = parts[-1] if page.suffix == ".ipynb" else "-".join(parts)
    return CATALOGUE / f"{name}.po"


def read(file: Path) -> Catalog:
    """A page's catalogue; an empty one where there is none yet."""
    if not file.is_file():
        return Catalog(locale="zh_CN", fuzzy=False)
    with file.open("rb") as opened:
        return read_po(opened, locale="zh_CN")


def save(catalogue: Catalog, file: Path) -> None:
    """Write a catalogue in the order of its page, without dates, which would differ each time."""
    data = io.BytesIO()
    write_po(data, catalogue, width=LINE_WIDTH, omit_header=True, ignore_obsolete=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(HEADER.encode() + data.getvalue())


HEADER = """msgid ""
msgstr ""
"Language: zh_CN\\n"
"Content-Type: text/plain; charset=utf-8\\n"

"""


def extract(page: Path) -> None:
    """Bring a page's catalogue up to date: new blocks are empty, changed ones fuzzy."""
    template = Catalog()
    for text in messages(page):
        template.add(text)
    catalogue = read(catalogue_of(page))
    sources = texts(page, "code") if page.suffix == ".ipynb" else []
    there = {words.text for source in sources for words in words_in(source)}
    by_hand = [message.id for message in in_code(catalogue) if message.id in there]
    for text in dict.fromkeys([*messages_in_code(page), *by_hand]):
        template.add(text, context="code")
    catalogue.update(template)
    save(catalogue, catalogue_of(page))


def sentences() -> list[str]:
    """The sentences of stlib and the drawings that are said through `tr`, each once."""
    in_code = (
        found[1]
        for file in sorted([*(ROOT / "stlib").rglob("*.py"), *(ROOT / "figures").glob("*.py")])
        for found in extract_from_file("python", file, keywords={"tr": None, "marked": None})
    )
    return list(dict.fromkeys([*in_code, *of_play()]))


def of_play() -> Iterator[str]:
    """The words of the pictures to play with."""
    for piece in json.loads(PLAY.read_text("utf-8")).values():
        yield from (piece["title"], piece["control"])
        for step in piece["steps"]:
            yield from (step["label"], step["shows"], step["caption"])


def extract_package() -> None:
    template = Catalog()
    for sentence in sentences():
        template.add(sentence)
    catalogue = read(PACKAGE)
    catalogue.update(template)
    save(catalogue, PACKAGE)


def compiled() -> bytes:
    """The package's catalogue in the form that Python's gettext reads."""
    catalogue = read(PACKAGE)
    # with the time of the day, each compilation would be another file
    catalogue.creation_date = catalogue.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    data = io.BytesIO()
    write_mo(data, catalogue)
    return data.getvalue()


def in_code(catalogue: Catalog) -> list[Message]:
    return [message for message in catalogue if message.context == "code"]


def in_text(catalogue: Catalog) -> list[Message]:
    return [message for message in catalogue if message.id and message.context is None]


def words_of(messages: list[Message]) -> Callable[[str], str]:
    """The translation of each message. What has none stays as it is."""
    found = {m.id: m.string for m in messages if m.string and not m.fuzzy}
    return lambda text: found.get(text) or TAKES.sub(TAKES_IN_CHINESE, text)


def heading_slugs(page: Path) -> dict[str, str]:
    """{anchor of an English heading: that of the Chinese one}, as JupyterLab makes them."""
    words = words_of(in_text(read(catalogue_of(page))))
    headings = [h for text in texts(page) for h in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]
    return {h.replace(" ", "-"): words(h).replace(" ", "-") for h in headings}


def with_chinese_anchors(markdown: str, page: Path) -> str:
    """The links to a heading lead to what it is called in Chinese."""

    def target(match: re.Match[str]) -> str:
        path, anchor = match[1], match[2]
        linked = (page.parent / path) if path else page
        if anchor and linked.suffix == ".ipynb":
            slug = anchor.removeprefix("#")
            anchor = "#" + heading_slugs(linked).get(slug, slug)
        return path + (anchor or "")

    return LINK.sub(target, markdown)


def one_folder_deeper(markdown: str, page: Path) -> str:
    """The links out of the folder lead out of one in it, and to Chinese files where there are."""

    def target(match: re.Match[str]) -> str:
        path, anchor = match[1], match[2] or ""
        if not path.startswith("../"):
            return match[0]
        other = re.sub(r"\.md$", ".zh-CN.md", path).replace("figures/", "figures/zh-CN/")
        return "../" + (other if (page.parent / other).is_file() else path) + anchor

    return LINK.sub(target, markdown)


def in_chinese(page: Path) -> str:
    """A page's text in Chinese; of a notebook, all of it, with the code and outputs as they are."""
    words = words_of(in_text(read(catalogue_of(page))))
    if page.suffix != ".ipynb":
        return translated(page.read_text("utf-8"), words)
    notebook = json.loads(page.read_text("utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            text = translated("".join(cell["source"]), words)
            cell["source"] = with_chinese_anchors(text, page).splitlines(keepends=True)
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"


def notebook_in_chinese(page: Path) -> str:
    """The notebook for notebooks/zh-CN, without outputs."""
    notebook = json.loads(in_chinese(page))
    shown = words_of(in_code(read(catalogue_of(page))))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            text = one_folder_deeper("".join(cell["source"]), page)
            cell["source"] = text.splitlines(keepends=True)
        else:
            text = code_translated("".join(cell["source"]), shown)
            lines = text.splitlines(keepends=True)
            cell.update(source=lines, outputs=[], execution_count=None)
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"


def write(page: Path) -> None:
    """Write the Chinese notebook; one whose code is as it was keeps its outputs."""
    new, file = json.loads(notebook_in_chinese(page)), CHINESE / page.name
    old = json.loads(file.read_text("utf-8")) if file.is_file() else {"cells": []}
    if code(old) == code(new):
        executed = {cell["id"]: cell for cell in old["cells"] if cell["cell_type"] == "code"}
        for cell in new["cells"]:
            if cell["id"] in executed:
                cell |= {key: executed[cell["id"]][key] for key in ("outputs", "execution_count")}
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(new, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def code(notebook: dict) -> list[tuple[str, str]]:
    """The code cells of a notebook: their ids and sources."""
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [(cell["id"], "".join(cell["source"])) for cell in cells]


# what must be equal in both languages

FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$]+\$", re.DOTALL)
CODE = re.compile(r"`[^`]+`")
NUMBER = re.compile(r"(?<![\w.])(?<![A-Za-z]-)\d+(?:[.,]\d+)*")


def fixed(text: str) -> dict[str, Counter]:
    """The formulas, the code, the links' targets and the numbers of a block."""
    formulas = Counter(
        " ".join(IN_FORMULA.sub("", found).split()) for found in FORMULA.findall(text)
    )
    text = FORMULA.sub(" ", text)
    code = Counter(" ".join(found.split()) for found in CODE.findall(text))
    text = CODE.sub(" ", text)
    links = Counter(path + (anchor or "") for path, anchor in LINK.findall(text))
    text = LINK.sub("", text)
    numbers = Counter(map(in_millions, NUMBER.findall(text)))
    return {"formulas": formulas, "code": code, "links": links, "numbers": numbers}


def in_millions(digits: str) -> str:
    """17,000,000 as "17": one language may say "million" where the other writes all digits."""
    digits = digits.replace(",", "")
    return f"{int(digits) / 1e6:g}" if digits.isdigit() and len(digits) > 6 else digits


def faults(page: Path) -> Iterator[str]:
    """What is missing in a page's catalogue, or differs from the English."""
    catalogue = read(catalogue_of(page))
    known = {message.id: message for message in in_text(catalogue)}
    shown = {message.id: message for message in in_code(catalogue)}
    for words in messages_in_code(page):
        if words not in shown or not shown[words].string or shown[words].fuzzy:
            yield f"{page.stem}: in its code, not translated: {words[:70]!r}"
    for text in messages(page):
        message = known.get(text)
        if message is None or not message.string:
            yield f"{page.stem}: not translated: {text[:70]!r}"
        elif message.fuzzy:
            yield f"{page.stem}: the English has changed, look at it again: {text[:70]!r}"
        else:
            english, other = fixed(text), fixed(message.string)
            for what in english:
                if english[what] != other[what]:
                    missing = dict(english[what] - other[what])
                    added = dict(other[what] - english[what])
                    yield f"{page.stem}: {what}: {missing} became {added} in {text[:50]!r}"


def faults_of_package() -> Iterator[str]:
    """What is missing in the package's catalogue."""
    known = {message.id: message for message in read(PACKAGE)}
    for sentence in sentences():
        if sentence not in known or not known[sentence].string or known[sentence].fuzzy:
            yield f"stlib: not translated, or not looked at again: {sentence[:70]!r}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("extract", "compile", "write", "check"))
    what = parser.parse_args().what
    if what == "check":
        found = [*(fault for page in PAGES for fault in faults(page)), *faults_of_package()]
        sys.exit("\n".join(found) if found else 0)
    if what == "extract":
        for page in PAGES:
            extract(page)
        extract_package()
    elif what == "compile":
        COMPILED.parent.mkdir(parents=True, exist_ok=True)
        COMPILED.write_bytes(compiled())
    else:
        for page in NOTEBOOKS:
            write(page)


if __name__ == "__main__":
    main()
