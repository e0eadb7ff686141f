"""The pictures of the notebooks: their words for those who cannot see them, and their widths.

The words are the titles in the picture, which the notebook keeps, and the first sentence of the
text below it.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

LONGEST = 300  # characters; a screen reader cannot pause in an alternative text
MARKS = re.compile(r"<[^>]+>|[$*`]|\\(?:mathrm|text)|\[([^\]]*)\]\([^)]*\)")
IMAGE = re.compile(r"_images/([\w.-]+)")
FOLDED = re.compile(r"(展开|收起)(content|source|output)s?")  # MyST-NB has no Chinese for these
WHAT = {"content": "内容", "source": "代码", "output": "输出"}
SENTENCE = re.compile(r"(.+?[.:?!。：？！])(?=\s|$|[^\x00-\x7f])", re.DOTALL)


def described(notebook: dict) -> Iterator[tuple[str, str, int | None]]:
    """(Sphinx's name of the file, words, width in pixels) of each picture in the outputs."""
    cells = notebook["cells"]
    for number, cell in enumerate(cells):
        for output in cell.get("outputs", []):
            for kind, data in output.get("data", {}).items():
                if kind in ("image/png", "image/jpeg", "image/gif"):
                    told = output["metadata"].get(kind, {})
                    words = [told.get("alt", ""), below(cells[number + 1 :])]
                    name = hashlib.sha256(base64.b64decode("".join(data))).hexdigest()
                    yield name, shortened(". ".join(filter(None, words))), told.get("width")


def below(cells: list[dict]) -> str:
    """The first two sentences of the next text, without its marks and its first word in bold."""
    for cell in cells:
        if cell["cell_type"] == "markdown":
            text = re.sub(r"^<details.*?</summary>\s*", "", "".join(cell["source"]).strip())
            text = re.sub(r"^\*\*[^*]+\*\*\s*", "", text)
            text = re.sub(r"^#+ .*\n+", "", text)
            plain = MARKS.sub(lambda match: match[1] or "", " ".join(text.split()))
            first_two = [sentence.strip() for sentence in SENTENCE.findall(plain)[:2]]
            return " ".join(first_two) or plain
    return ""


def shortened(words: str) -> str:
    """Whole words, and no more than a listener can take in."""
    return words if len(words) <= LONGEST else words[:LONGEST].rsplit(" ", 1)[0] + " …"


@cache
def all_described(source: Path) -> dict[str, tuple[str, int | None]]:
    """{Sphinx's name of the file: (words, width)}, of all notebooks: a book is one document."""
    notebooks = [json.loads(path.read_text("utf-8")) for path in sorted(source.rglob("*.ipynb"))]
    return {
        name: (words, width) for notebook in notebooks for name, words, width in described(notebook)
    }


class Described(SphinxPostTransform):
    """Give each picture of an output its words and its width."""

    default_priority = 4  # before builders take up the pictures

    def run(self, **kwargs) -> None:
        found = all_described(Path(self.env.srcdir))
        for image in list(self.document.findall(nodes.image)):
            name = Path(image["uri"]).stem
            if name in found:
                image["alt"], width = found[name]
                if width:
                    image["width"] = f"{width}px"
                image.replace_self(nodes.container("", image.deepcopy(), classes=["picture"]))


def share(app: Sphinx, page: str, template: str, context: dict, doctree: object) -> None:
    """Let the Chinese pages show the pictures that the English ones have, too."""
    if is_chinese(app) and "body" in context:
        shared = in_english(app)
        body = IMAGE.sub(
            lambda match: f"../{match[0]}" if match[1] in shared else match[0], context["body"]
        )
        context["body"] = FOLDED.sub(lambda match: match[1] + WHAT[match[2]], body)


def leave_out(app: Sphinx, error: Exception | None) -> None:
    """The Chinese pages' own copies of what they share are not needed."""
    if is_chinese(app):
        for name in in_english(app):
            Path(app.outdir, "_images", name).unlink(missing_ok=True)


def is_chinese(app: Sphinx) -> bool:
    return app.config.language == "zh_CN" and app.builder.name == "html"


@cache
def in_english(app: Sphinx) -> set[str]:
    """The pictures that the English pages have, too, in the folder that the Chinese ones are in."""
    folder = Path(app.outdir).parent / "_images"
    return {
        name
        for uri, (_, name) in app.env.images.items()
        if (folder / name).is_file()
        and (folder / name).read_bytes() == Path(app.srcdir, uri).read_bytes()
    }


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_post_transform(Described)
    app.connect("html-page-context", share)
    app.connect("build-finished", leave_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
