"""Pictures to play with: a slider goes through them, or wipes one away from another.

They lie in pictures/; play.json says in words what they show and what was measured;
scripts/paint_play.py makes both. JupyterLab shows a piece with controls. What a notebook stores of
it, and shows where there are no widgets, is a still picture with all the words; in the reading
edition, play.js makes that live.
"""

import base64
import html
import importlib.util
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from stlib._language import tr

HERE = files("stlib.course")
WIDTH, WHOLE = 480, "width: 100%"  # of a picture: pixels at most, and of what that leaves
HALF = 50  # percent of the upper picture that is seen at first
LABEL = {"description_width": "initial"}


@dataclass(frozen=True)
class Step:
    """One picture of a piece.

    label: the slider's value in words. file: its name in pictures/. shows: what is to be seen, for
    those who do not see it. caption: what was measured.
    """

    label: str
    file: str
    shows: str
    caption: str

    def image(self, style: str = WHOLE) -> str:
        """The picture as an element of HTML that needs no file."""
        kind = "jpeg" if self.file.endswith(".jpg") else "png"
        data = base64.b64encode((HERE / "pictures" / self.file).read_bytes()).decode()
        look = f'decoding="sync" style="{style}" src="data:image/{kind};base64,{data}"'
        return f'<img alt="{html.escape(self.shows)}" {look}/>'

    def said(self) -> str:
        """The value and what was measured, in one line."""
        return tr("{label}: {caption}").format(label=self.label, caption=self.caption)


@dataclass(frozen=True)
class Piece:
    """Something to play with, as a cell of a notebook shows it.

    name: its key in play.json. title: a few words. control: what the slider says that it changes.
    kind: "steps", with a picture for each value of the slider, or "wipe", with two pictures, of
    which the second lies on the left part of the first. still: the numbers of the steps that are
    seen where nothing moves.
    """

    name: str
    title: str
    control: str
    kind: str
    still: tuple[int, ...]
    steps: tuple[Step, ...]

    def __repr__(self) -> str:
        return f"{self.named()} {self.steps[self.still[-1]].said()}"

    def named(self) -> str:
        """The title as a sentence of its own."""
        return tr("{title}.").format(title=self.title)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """Live where there are widgets, and for all others the still figure."""
        told = {"text/plain": repr(self), "text/html": figure(self)}
        if importlib.util.find_spec("ipywidgets") is None:
            return told
        return {**live(self)._repr_mimebundle_(**kwargs), **told}


def beta() -> Piece:
    """The castle from photo to painting, as β grows."""
    return pieces()["beta"]


def layers() -> Piece:
    """The cat, as each layer gives it back."""
    return pieces()["layers"]


def before_after() -> Piece:
    """The painted castle, to be wiped over its photo."""
    return pieces()["before-after"]


def kernel() -> Piece:
    """A kernel on its way over a small picture, with the arithmetic at each place."""
    return pieces()["kernel"]


@cache
def pieces() -> dict[str, Piece]:
    """All that play.json describes, by name."""
    described = json.loads((HERE / "play.json").read_text(encoding="utf-8"))
    return {name: _piece(name, **about) for name, about in described.items()}


def _piece(
    name: str, kind: str, still: list[int], steps: list[dict[str, str]], **words: str
) -> Piece:
    said = {key: tr(sentence) for key, sentence in words.items()}
    return Piece(name, kind=kind, still=tuple(still), steps=tuple(map(_step, steps)), **said)


def _step(described: dict[str, str]) -> Step:
    words = {key: tr(described[key]) for key in ("label", "shows", "caption")}
    return Step(file=described["file"], **words)


def figure(piece: Piece) -> str:
    """A piece as HTML that needs neither files nor JavaScript: its still pictures, and all words.

    It is well-formed XML, too, since books are made of that.
    """
    images = "".join(piece.steps[number].image() for number in piece.still)
    words = "\n".join(
        f'<li data-file="{step.file}"><b>{html.escape(step.label)}</b> '
        f"<span>{html.escape(step.shows)}</span> <i>{html.escape(step.caption)}</i></li>"
        for step in piece.steps
    )
    said = html.escape(piece.steps[piece.still[-1]].said())
    all_words = tr("All {count} pictures in words").format(count=len(piece.steps))
    return (
        f'<figure class="play {piece.kind}" data-play="{piece.name}" data-still="{piece.still[0]}" '
        f'data-control="{html.escape(piece.control)}" style="max-width: {WIDTH}px">\n'
        f"<div>{images}</div>\n"
        f"<figcaption><strong>{html.escape(piece.named())}</strong> "
        f'<output aria-live="polite">{said}</output></figcaption>\n'
        f"<details><summary>{all_words}</summary>\n"
        f"<ol>\n{words}\n</ol></details>\n</figure>"
    )


def live(piece: Piece) -> Any:
    """A piece as widgets: a control that has a spoken name, a slider that does the same, a picture.

    Raises ModuleNotFoundError where there is no ipywidgets.
    """
    import ipywidgets as widgets

    if piece.kind == "wipe":
        start, most, step = HALF, 100, 5
        named = widgets.BoundedIntText(start, step=step, description=piece.control, style=LABEL)
    else:
        start, most, step = piece.still[0], len(piece.steps) - 1, 1
        values = [(each.label, number) for number, each in enumerate(piece.steps)]
        named = widgets.Dropdown(
            options=values, value=start, description=piece.control, style=LABEL
        )
    slider = widgets.IntSlider(start, max=most, step=step, readout=False)
    widgets.link((named, "value"), (slider, "value"))
    shown = widgets.HTML(_seen(piece, start))
    named.observe(lambda change: setattr(shown, "value", _seen(piece, change["new"])), "value")
    controls = widgets.HBox([named, slider], layout=widgets.Layout(flex_flow="row wrap"))
    return widgets.VBox([controls, shown])


def _seen(piece: Piece, value: int) -> str:
    """What is to be seen at a value of the slider, as HTML."""
    if piece.kind == "wipe":
        below, above = piece.steps
        over = f"position: absolute; inset: 0; clip-path: inset(0 {100 - value}% 0 0)"
        images = below.image() + above.image(f"{WHOLE}; {over}")
        said = tr("The left {value} %: {label}. {caption}").format(
            value=value, label=above.label, caption=above.caption
        )
    else:
        images, said = piece.steps[value].image(), piece.steps[value].said()
    return (
        f'<div style="position: relative; max-width: {WIDTH}px">{images}</div>'
        f'<p role="status"><b>{html.escape(piece.named())}</b> {html.escape(said)}</p>'
    )
