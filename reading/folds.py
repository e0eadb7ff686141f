"""What of a notebook is folded: for the site the answers, for paper nothing."""

import re

PREDICT = re.compile(r"^\*\*(?:Predict|猜一猜)[.。]", re.MULTILINE)
EXPLAIN = re.compile(r"^\*\*(Explain|解释)[.。]", re.MULTILINE)
TITLES = {"Explain": "Explanation", "解释": "解释"}  # of a fold
TURN = re.compile(r"^(?=#+ |\*\*(?:Predict|Explain|猜一猜|解释)[.。])", re.MULTILINE)


def folded(notebook: dict) -> dict:
    """The notebook with its answers folded: solutions, and what follows a prediction."""
    asked = False  # whether the reader has been asked and not yet been answered
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            cell["source"], asked = explanations_folded(text, asked)
            continue
        tags = cell["metadata"].setdefault("tags", [])
        source_is_hidden = cell["metadata"].get("jupyter", {}).get("source_hidden", False)
        if "solution" in tags or (source_is_hidden and asked):
            tags.append("hide-cell")
        elif source_is_hidden:
            tags.append("hide-input")
        elif asked and cell["outputs"]:
            tags.append("hide-output")
    return notebook


def explanations_folded(text: str, asked: bool) -> tuple[str, bool]:
    """A cell's text with each explanation in a fold, and whether a question is open at its end."""
    parts = []
    for part in TURN.split(text):
        if PREDICT.match(part):
            asked = True
        elif EXPLAIN.match(part):
            part, asked = fold(part) if asked else part, False
        elif part.startswith("#"):
            asked = False
        parts.append(part)
    return "".join(parts), asked


def fold(text: str) -> str:
    """An explanation that opens with a click; other text as it is."""
    found = EXPLAIN.match(text)
    if not found:
        return text
    opening = f'<details class="answer"><summary>{TITLES[found[1]]}</summary>'
    return f"{opening}\n\n{text.rstrip()}\n\n</details>\n\n"


def opened(notebook: dict) -> dict:
    """The notebook for paper: hints and solutions stand open, cells that only check are gone."""
    notebook["cells"] = [
        cell for cell in notebook["cells"] if "guard" not in cell["metadata"].get("tags", [])
    ]
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            text = "".join(cell["source"])
            text = re.sub(r"<summary>(.*?)</summary>", r"\n\n**\1**\n\n", text)
            cell["source"] = re.sub(r"</?details[^>]*>", "\n\n", text)
    return notebook
