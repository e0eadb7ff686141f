"""Gather what the reading edition shows, in one language.

python reading/prepare.py en OUT           for the site: answers are folded
python reading/prepare.py zh-CN OUT        the same in Chinese
python reading/prepare.py en OUT --open    for PDF and ePub: nothing is folded
"""

import argparse
import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import api
import folds
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))  # a folder of scripts, not a package

from translations import in_chinese  # noqa: E402

PAGES = [
    *("*.md", "benchmarks/*.md", "benchmarks/research/README.md", "experiments/README.md"),
    *("stlib/samples/CREDITS.md", "notebooks/*.ipynb"),
]
# what the pages show or link to
FILES = [
    *("LICENSE", "CITATION.cff", "figures/*.png", "figures/*.jpg", "figures/zh-CN/*.png"),
    *("benchmarks/*.png", "benchmarks/pictures/sheets/*.jpg"),
    *("experiments/*.py", "experiments/results/budget/*.jpg"),
]
LINK = re.compile(r"\[([^\]]*)\]\(((?:\.\./)*)([\w/-]+)(\.zh-CN)?\.md\)")


def gather(out: Path, language: str, change: Callable[[dict], dict]) -> None:
    """Lay everything that the edition shows into a folder, in the project's own order of folders.

    language: of the edition. change: what becomes of each notebook.
    """
    text_of = LANGUAGES[language]
    shutil.rmtree(out, ignore_errors=True)
    for path in found(FILES):
        write(out / path.relative_to(ROOT), path.read_bytes())
    for path in found(PAGES):
        text = text_of(path)
        if path.suffix == ".ipynb":
            text = json.dumps(change(json.loads(text)), ensure_ascii=False)
        write(out / path.relative_to(ROOT), text.encode())
    write(out / "index.md", text_of(Path(__file__).with_name("index.md")).encode())
    write(out / "api.md", api.page(language).encode())
    drawn = ROOT / "figures" / ("zh-CN" if language == "zh-CN" else "") / "result.png"
    with Image.open(drawn) as picture:  # 1.4 MB, which is much for a phone
        picture.convert("RGB").save(out / "figures/result.jpg", quality=85)


def found(patterns: list[str]) -> list[Path]:
    """The files of some patterns, without templates and what is the Chinese form of another."""
    paths = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    return [path for path in paths if not path.stem.endswith((".template", ".zh-CN"))]


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def english(path: Path) -> str:
    """A page in English; its links to Chinese pages lead into the Chinese edition."""

    def link(match: re.Match[str]) -> str:
        words, up, name, is_chinese = match.groups()
        return f"<a href='{up}zh-CN/{name}.html'>{words}</a>" if is_chinese else match[0]

    return LINK.sub(link, path.read_text("utf-8"))


def chinese(path: Path) -> str:
    """A page in Chinese: written by hand, or from the catalogue, or else the English one.

    What is written by hand has the name of the English page here, and so its links to that lead out
    of the Chinese edition.
    """

    def link(match: re.Match[str]) -> str:
        words, up, name, is_chinese = match.groups()
        if is_chinese:
            return f"[{words}]({up}{name}.md)"
        return f"<a href='../{up}{name}.html'>{words}</a>" if by_hand(ROOT / name) else match[0]

    if path.suffix == ".ipynb":
        executed = (path.with_name("zh-CN") / path.name).read_text("utf-8")
        return executed.replace("](../../", "](../").replace(".zh-CN.md", ".md")
    other = path.with_name(f"{path.stem}.zh-CN.md")
    if other.is_file():
        return LINK.sub(link, other.read_text("utf-8")).replace("notebooks/zh-CN/", "notebooks/")
    return in_chinese(path).replace(".zh-CN.md", ".md")


def by_hand(page: Path) -> bool:
    return page.with_name(f"{page.name}.zh-CN.md").is_file()


def search_words() -> str:
    """The glossary's Chinese terms, as the dictionary that jieba reads: word, frequency."""
    rows = re.findall(
        r"^\| ([^|]+) \| [^|]+ \| ", (ROOT / "GLOSSARY.zh-CN.md").read_text("utf-8"), re.M
    )
    terms = {term for row in rows[2:] for term in re.findall(r"[\u4e00-\u9fff]{2,}", row)}
    return "".join(f"{term} 100000\n" for term in sorted(terms))


LANGUAGES = {"en": english, "zh-CN": chinese}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("language", choices=LANGUAGES)
    parser.add_argument("out", type=Path, help="a folder, which is written anew")
    parser.add_argument("--open", action="store_true", help="nothing is folded: for PDF and ePub")
    arguments = parser.parse_args()
    change = folds.opened if arguments.open else folds.folded
    gather(arguments.out, arguments.language, change)
    write(arguments.out.parent / "words.txt", search_words().encode())


if __name__ == "__main__":
    main()
