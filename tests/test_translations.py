"""The Chinese edition: whole, and the same formulas, numbers, code and links as the English one."""

import ast
import json
import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("babel", reason="Babel comes with JupyterLab")
pytest.importorskip("mdit_py_plugins", reason="the extra `site` is not installed")

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))  # a folder of scripts, not a package

import translations  # noqa: E402

from stlib import _language  # noqa: E402

# what a term of the glossary must not be called
NEVER = {
    "总变差": "全变分",
    "Gram 矩阵": "格拉姆矩阵",
    "格兰姆": "格拉姆",
    "特征映射": "特征图",
    "神经风格转移": "风格迁移",
    "风格转换": "风格迁移",
    "您": "你",
    "滤镜": "滤波器，卷积核",
    "样式损失": "风格损失",
}
HALF_WIDTH = re.compile(r"[\u4e00-\u9fff][,;:?!]|[\u4e00-\u9fff]\.(?!\w)")
UNTOUCHED = re.compile(r"\$\$.*?\$\$|\$[^$]+\$|`[^`]+`|\]\([^)]*\)", re.DOTALL)


@pytest.fixture(params=translations.PAGES, ids=lambda page: translations.catalogue_of(page).stem)
def page(request) -> Path:
    return request.param


def fields(words: str) -> list[str]:
    """What is filled in; a literal in it may have other words."""
    return sorted(re.sub(r"'[^']*'", "''", field) for field in re.findall(r"\{[^{}]*\}", words))


def catalogue(page: Path):
    return translations.read(translations.catalogue_of(page))


def test_every_block_is_translated_with_its_formulas_numbers_code_and_links(page):
    assert not list(translations.faults(page))


def test_the_catalogue_holds_nothing_that_the_page_has_lost(page):
    known = {message.id for message in translations.in_text(catalogue(page))}
    assert known == set(translations.messages(page))


def test_terms_are_those_of_the_glossary(page):
    found = [
        (wrong, message.string[:60])
        for message in catalogue(page)
        for wrong in NEVER
        if message.id and wrong in message.string
    ]
    assert not found


def test_punctuation_is_chinese(page):
    for message in translations.in_text(catalogue(page)):
        plain = UNTOUCHED.sub("", message.string)
        assert not HALF_WIDTH.search(plain), plain[:90]


def test_bold_and_links_are_drawn_as_in_english(page):
    """Not only written: Markdown sees no end of bold between a stop and a Chinese letter."""

    def drawn(text: str) -> dict[str, int]:
        tokens = translations.PARSER.parseInline(text)[0].children
        kinds = ("strong_open", "link_open", "image", "code_inline", "math_inline")
        return {kind: sum(token.type == kind for token in tokens) for kind in kinds}

    for message in translations.in_text(catalogue(page)):
        assert drawn(message.id) == drawn(message.string), message.string[:80]


def test_every_sentence_of_the_package_is_translated_with_its_fields():
    known = {
        message.id: message for message in translations.read(translations.PACKAGE) if message.id
    }
    assert set(known) == set(translations.sentences())
    for english, message in known.items():
        assert message.string and not message.fuzzy, english
        assert fields(english) == fields(message.string), english


def test_the_package_reads_the_catalogue_of_today():
    assert translations.COMPILED.read_bytes() == translations.compiled()


@pytest.mark.parametrize(
    "settings, language",
    [
        ({"STLIB_LANGUAGE": "zh"}, "zh_CN"),
        ({"STLIB_LANGUAGE": "en", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh_CN"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
    ],
)
def test_the_language_is_asked_for_or_the_systems(settings, language, monkeypatch):
    for name in _language.ASKED:
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert _language.language() == language
    says = _language.tr("not a sentence of the catalogue")
    assert says == "not a sentence of the catalogue"


@pytest.mark.parametrize("page", translations.NOTEBOOKS, ids=lambda page: page.stem)
def test_the_code_is_the_same_but_for_what_it_shows(page):
    """Each Chinese cell is Python, token for token, with other words in its literals."""

    def without_words(source: str) -> str:
        return translations.code_translated(source, lambda words: "")

    english = json.loads(page.read_text("utf-8"))["cells"]
    chinese = json.loads(translations.notebook_in_chinese(page))["cells"]
    sources = []
    for one, other in zip(english, chinese, strict=True):
        if one["cell_type"] == "code":
            one, other = "".join(one["source"]), "".join(other["source"])
            ast.parse(other)
            assert without_words(one) == without_words(other)
            sources.append(one)
    for message in translations.in_code(catalogue(page)):
        assert any(message.id in source for source in sources), f"gone: {message.id}"
        assert fields(message.id) == fields(message.string), message.id


@pytest.mark.parametrize("page", translations.NOTEBOOKS, ids=lambda page: page.stem)
def test_the_chinese_notebook_is_that_of_today(page):
    """Of the English text, and of the catalogue: `make translations`, then `make notebooks`."""

    def sources(notebook: str) -> list[tuple]:
        cells = json.loads(notebook)["cells"]
        return [(c["id"], c["cell_type"], "".join(c["source"]), c["metadata"]) for c in cells]

    stored = (translations.CHINESE / page.name).read_text("utf-8")
    assert sources(stored) == sources(translations.notebook_in_chinese(page))


@pytest.mark.parametrize("page", translations.NOTEBOOKS, ids=lambda page: page.stem)
def test_the_chinese_notebook_was_executed_in_chinese_and_with_a_font(page):
    """What stlib says in its outputs is Chinese; a figure without a font tells of its numbers."""
    cells = json.loads((translations.CHINESE / page.name).read_text("utf-8"))["cells"]
    outputs = json.dumps([cell.get("outputs") for cell in cells], ensure_ascii=False)
    without_font = catalogued("No font here has Chinese letters; in the figure, {words}.")
    assert without_font.split("{")[0] not in outputs
    assert "not attempted yet" not in outputs
    pictures = [
        output["metadata"].get(kind, {}).get("alt", "")
        for cell in cells
        for output in cell.get("outputs", [])
        for kind in output.get("data", {})
        if kind in ("image/png", "image/jpeg")
    ]
    chinese = [words for words in pictures if re.search(r"[\u4e00-\u9fff]", words)]
    assert len(chinese) >= len([words for words in pictures if words]) / 2


def catalogued(sentence: str) -> str:
    """What the package says for a sentence."""
    return translations.read(translations.PACKAGE).get(sentence).string


def test_a_notebook_whose_code_is_as_it_was_keeps_its_outputs(tmp_path, monkeypatch):
    """Another word in the text costs no execution; another line of code does."""
    page = translations.NOTEBOOKS[-1]  # the studio's, which is the shortest
    monkeypatch.setattr(translations, "CHINESE", tmp_path)
    translations.write(page)
    file = tmp_path / page.name
    notebook = json.loads(file.read_text("utf-8"))
    code = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    code |= {"outputs": ["kept"], "execution_count": 1}
    notebook["cells"][0]["source"] = ["# 旧"]
    file.write_text(json.dumps(notebook), "utf-8")
    translations.write(page)
    assert '"kept"' in file.read_text("utf-8") and "# 旧" not in file.read_text("utf-8")
    code["source"] = ["another()"]
    file.write_text(json.dumps(notebook), "utf-8")
    translations.write(page)
    assert '"kept"' not in file.read_text("utf-8")


def test_words_of_code_are_found_without_a_hand():
    code = '''def f():  # the first line
    """What it does."""
    return {"some words": 1, "key": f"{x} more"}  # noqa
'''
    assert translations.for_readers(code) == [
        "the first line",
        "What it does.",
        "some words",
        "{x} more",
    ]


def test_a_block_is_found_and_replaced_wherever_markdown_has_blocks():
    markdown = "# A\n\nb\nc\n\n- d\n  e\n\n| f | 1 |\n|---|---|\n| g | h |\n\n$$x$$\n\n"
    said = translations.translated(markdown, lambda text: text.upper().replace("\n", " "))
    assert said == ("# A\n\nB C\n\n- D E\n\n| F | 1 |\n|---|---|\n| G | H |\n\n$$x$$\n\n")
    fold = "<details><summary>hint</summary>\n\nthink\n\n</details>"
    assert translations.translated(fold, str.upper) == (
        "<details><summary>HINT</summary>\n\nTHINK\n\n</details>"
    )


def test_a_literal_is_replaced_and_nothing_else():
    code = 'print("b", f"{b} b", b)  # b'
    said = translations.code_translated(code, lambda words: words.replace(" b", " 乙"))
    assert said == 'print("b", f"{b} 乙", b)  # b'


def test_links_lead_to_the_chinese_heading():
    page = ROOT / "notebooks/05_style_loss.ipynb"
    english = "[x](00_start_here.ipynb#The-map-of-the-course) [y](../GLOSSARY.md)"
    chinese = translations.with_chinese_anchors(english, page)
    assert chinese == "[x](00_start_here.ipynb#课程地图) [y](../GLOSSARY.md)"
    assert translations.one_folder_deeper(chinese, page) == (
        "[x](00_start_here.ipynb#课程地图) [y](../../GLOSSARY.zh-CN.md)"
    )
