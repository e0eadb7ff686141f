"""The studio's panel: the controls, and what they make the easel do."""

import base64
import html
import io
import math
import warnings
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from PIL import Image

from stlib._language import marked, tr
from stlib.course import easel
from stlib.course.easel import (
    BALANCES,
    COLORS,
    LARGEST,
    REFUSED,
    SMALLEST,
    Latest,
    Order,
    Painting,
    Source,
    Upload,
)
from stlib.course.still import Still
from stlib.errors import needs_extra, one_line, reason
from stlib.images import sample_names, sample_paintings, to_pil
from stlib.presets import PRESETS
from stlib.settings import Settings

with needs_extra("stlib.course.studio", "course"):
    import ipywidgets as widgets

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")  # of the folder, to choose from
THUMBNAIL, SHOWN = 96, 480  # pixels
TALLEST = 1.5  # of a picture on the page: its height, in widths
QUALITY = 90  # of the JPEGs on the screen
PRESET_VALUES = {name: {"steps": Settings.steps, **values} for name, values in PRESETS.items()}
OWN = marked("as set below")  # where no preset agrees with the numbers
WIDE = widgets.Layout(width="auto")
WRAPPED = widgets.Layout(flex_flow="row wrap")
LABEL = {"description_width": "9em"}


class Chooser(widgets.VBox):
    """A sample, a file of this folder, or one from this computer; with a small picture of it.

    what: "Photo" or "Painting", in the reader's language. names: of the samples. first: the one
    that is chosen at first.
    alarm: called with a sentence when a file is no picture, or a strange one, and with "" when
    there is nothing to say.

    picture: what is chosen, at most `SHOWN` pixels wide and high; None when it cannot be read.
    """

    def __init__(self, what: str, names: Iterable[str], first: str, alarm: Callable[[str], None]):
        self.what, self._alarm = what, alarm
        here = ((one_line(path.name), path) for path in _pictures_here())
        options = [*((name, name) for name in names), *here]
        self.chosen = widgets.Dropdown(
            options=options, value=first, description=what, layout=WIDE, style=LABEL
        )
        self.upload = widgets.FileUpload(
            accept="image/*",
            description=tr("{what} from this computer").format(what=what),
            tooltip=tr("Choose a picture file of your own as the {what}").format(what=what.lower()),
            icon="",  # a letter of a font, which screen readers spell
            layout=WIDE,
        )
        self.thumbnail = widgets.HTML()
        controls = widgets.VBox([self.chosen, self.upload], layout=widgets.Layout(flex="1"))
        super().__init__([widgets.HBox([controls, self.thumbnail])])
        self.upload.observe(self._take, "value")
        self.chosen.observe(lambda _: self._show(), "value")
        self._show()

    def _take(self, _: object) -> None:
        """What was uploaded becomes the choice, if it is a picture."""
        if not self.upload.value:
            return
        file = self.upload.value[0]
        source = Upload(file["name"], bytes(file["content"]))
        self.upload.value = ()  # so that the same file can be chosen again
        if self._look(source) is None:
            return
        others = [pair for pair in self.chosen.options if not isinstance(pair[1], Upload)]
        self.chosen.options = [(source.name, source), *others]
        self.chosen.value = source

    def _look(self, source: Source) -> Image.Image | None:
        """A small picture of a source, of any shape that can be painted at some size."""
        with warnings.catch_warnings(record=True) as remarks:
            warnings.simplefilter("always")
            try:
                picture = to_pil(easel.load(source, LARGEST))
            except REFUSED as error:
                self._alarm(one_line(error))
                return None
        self._alarm(" ".join(str(remark.message) for remark in remarks))
        picture.thumbnail((SHOWN, SHOWN))
        return picture

    def _show(self) -> None:
        self.picture = self._look(self.chosen.value)
        self.thumbnail.value = ""
        if self.picture is not None:
            words = tr("{what}: {name}").format(what=self.what, name=self.chosen.label)
            self.thumbnail.value = _picture(self.picture, words, THUMBNAIL)


class Panel(widgets.VBox):
    """The studio. folder: where pictures are saved."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.painting: Painting | None = None
        self._former: Painting | None = None  # which stays, should the next one fail
        self.estimate, self.progress, self.message = (widgets.HTML() for _ in range(3))
        paintings = sample_paintings()
        photos = [name for name in sample_names() if name not in paintings]
        self.photo = Chooser(tr("Photo"), photos, "castle", self.alarm)
        self.painter = Chooser(tr("Painting"), paintings, "cafe-terrace", self.alarm)
        self.settings = _settings()
        self.paint, self.stop, self.save = _buttons()
        self.shown = widgets.HTML()
        self.share, self.slider = _sliders()
        self._forecast = Latest(self._tell_estimate)
        super().__init__([self._arranged()])
        self._connect()
        self._show()
        self._forecast.ask(self.order())

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """As a widget, and for notebooks without widgets as a still picture."""
        still = Still()
        told = {"text/plain": repr(still), "text/html": still._repr_html_()}
        return {**super()._repr_mimebundle_(**kwargs), **told}

    def order(self) -> Order:
        """What the controls say."""
        values = {name: control.value for name, control in self.settings.items()}
        del values["preset"]
        return Order(self.photo.chosen.value, self.painter.chosen.value, **values)

    def alarm(self, sentence: str) -> None:
        """Say what is wrong; "" takes it back."""
        self.message.value = _said("alert", sentence) if sentence else ""

    def _arranged(self) -> widgets.Widget:
        """Choices beside the picture, or above it where the page is narrow."""
        choices = [self.photo, self.painter, *self.settings.values(), self.estimate]
        buttons = widgets.HBox([self.paint, self.stop, self.save])
        shares = widgets.HBox([self.share, self.slider], layout=WRAPPED)
        result = [buttons, self.progress, self.message, self.shown, shares]
        return widgets.HBox(
            [
                widgets.VBox(choices, layout=widgets.Layout(flex="1 1 19em", max_width="30em")),
                widgets.VBox(result, layout=widgets.Layout(flex="2 1 19em")),
            ],
            layout=WRAPPED,
        )

    def _connect(self) -> None:
        self.settings["preset"].observe(self._take_preset, "value")
        for control in (self.photo.chosen, self.painter.chosen, *self.settings.values()):
            control.observe(self._changed, "value")
        self.photo.chosen.observe(lambda _: self._show(), "value")
        self.share.observe(lambda _: self._show(), "value")
        self.paint.on_click(lambda _: self._begin())
        self.stop.on_click(lambda _: self._end())
        self.save.on_click(lambda _: self._save())

    def _take_preset(self, change: Any) -> None:
        for name, value in PRESET_VALUES.get(change["new"], {}).items():
            self.settings[name].value = value

    def _changed(self, _: object) -> None:
        """Another choice: another estimate, and the preset that agrees with it."""
        order = self.order()
        agreeing = (
            preset
            for preset, values in PRESET_VALUES.items()
            if all(getattr(order, name) == value for name, value in values.items())
        )
        self.settings["preset"].value = next(agreeing, OWN)
        self._forecast.ask(order)

    def _tell_estimate(self, order: Order) -> None:
        if self._is_painting():  # it would slow both down, and be wrong
            self.estimate.value = ""
            return
        begun = tr("Estimating …")
        self.estimate.value = f"<p>{begun}</p>"  # not spoken: what follows is
        try:
            told = order.estimate()
        except Exception as error:  # whatever it is, painting may work
            told = tr("No estimate: {reason}").format(reason=one_line(error) or reason(error))
        self.estimate.value = _said("status", told)

    def _is_painting(self) -> bool:
        return self.painting is not None and not self.painting.ended

    def _begin(self) -> None:
        if self._is_painting():
            return
        self.alarm("")
        self._enable(painting=True)
        self.stop.focus()
        self.progress.value = _said("status", tr("Beginning …"))
        self._former = self.painting
        self.painting = Painting(self.order(), self._follow)
        self.painting.start()

    def _end(self) -> None:
        assert self.painting is not None
        if not self._is_painting():  # it ended while the button was pressed
            return
        self.stop.disabled = True
        self.progress.value = _said("status", tr("Stopping after this evaluation …"))
        self.painting.stop()

    def _save(self) -> None:
        assert self.painting is not None
        try:
            path = easel.save(self.painting, self.folder)
        except REFUSED as error:
            self.alarm(one_line(error))
            return
        self.message.value = _said("status", tr("Saved as {file}.").format(file=one_line(path)))

    def _follow(self, painting: Painting) -> None:
        """Show how far a painting is; its thread calls this."""
        lost = painting.failed and painting.picture is None
        self.painting = self._former if lost and self._former is not None else painting
        self._show()
        if not painting.ended:
            if not painting.stopping:
                self.progress.value = _bar(painting)
            self.save.disabled = painting.picture is None
            return
        self._enable(painting=False)
        if painting.failed:
            self.progress.value = ""
            self.alarm(painting.ended)
        else:
            took = tr("It took {seconds:.0f} s.").format(seconds=painting.seconds)
            told = tr("{ended} {took}").format(ended=painting.ended, took=took)
            self.progress.value = _said("status", told)
        self._forecast.ask(self.order())

    def _enable(self, *, painting: bool) -> None:
        """The buttons that make sense."""
        has_picture = self.painting is not None and self.painting.picture is not None
        self.paint.disabled, self.stop.disabled = painting, not painting
        self.save.disabled = painting or not has_picture

    def _show(self) -> None:
        """The picture so far, as much of it as the slider says, and the rest of the photo."""
        painting = self.painting
        if painting is None or painting.photo is None:
            self._show_photo()
            return
        picture = painting.photo if painting.picture is None else painting.picture
        photo, style = easel.title(painting.order.photo), easel.title(painting.order.style)
        words = tr("{photo} painted like {style}: the left {share} %").format(
            photo=photo, style=style, share=self.share.value
        )
        half = easel.split(painting.photo, picture, self.share.value)
        self.shown.value = _picture(to_pil(half), words)

    def _show_photo(self) -> None:
        """The photo, while nothing is painted; the chooser tells of one that cannot be read."""
        name = easel.title(self.photo.chosen.value)
        words = tr("{photo}, not painted yet").format(photo=name)
        photo = self.photo.picture
        self.shown.value = "" if photo is None else _picture(photo, words)


def _pictures_here() -> list[Path]:
    """The pictures in the folder of the page, none that is hidden."""
    try:
        files = sorted(path for path in Path().iterdir() if path.is_file())
    except OSError:  # a folder that may not be looked into
        return []
    return [f for f in files if f.suffix.lower() in PICTURES and not f.name.startswith(".")]


def _settings() -> dict[str, Any]:
    """The controls of an `Order`, by its names, and that of the preset."""
    usual = {field.name: field.default for field in fields(Order)}

    def choice(description: str, options: Any, value: object) -> Any:
        return widgets.Dropdown(
            options=options, value=value, description=description, layout=WIDE, style=LABEL
        )

    def number(description: str, value: Any, least: int, most: int, step: int) -> Any:
        return widgets.BoundedIntText(
            value, min=least, max=most, step=step, description=description, layout=WIDE, style=LABEL
        )

    presets = [*((name, name) for name in PRESETS), (tr(OWN), OWN)]
    return {
        "preset": choice(tr("Preset"), presets, "sketch"),
        "size": number(tr("Size, pixels"), usual["size"], SMALLEST, LARGEST, 32),
        "steps": number(tr("Evaluations"), usual["steps"], 1, 1000, 10),
        "strokes": number(tr("Stroke size, %"), usual["strokes"], 25, 400, 25),
        "balance": choice(tr("Balance"), [(tr(name), name) for name in BALANCES], usual["balance"]),
        "colors": choice(
            tr("Colours"), [(tr(name), value) for name, value in COLORS.items()], usual["colors"]
        ),
    }


def _sliders() -> tuple[Any, Any]:
    """How much of the painting is seen: a number, which has a spoken name, and a slider."""
    number = widgets.BoundedIntText(
        100,
        step=5,
        description=tr("Painted part, %"),
        layout=widgets.Layout(width="14em"),
        style=LABEL,
    )
    slider = widgets.IntSlider(
        100, step=5, readout=False, layout=widgets.Layout(flex="1 1 12em", width="auto")
    )
    widgets.link((number, "value"), (slider, "value"))
    return number, slider


def _buttons() -> tuple[Any, Any, Any]:
    """Paint, Stop and Save."""
    paint = widgets.Button(
        description=tr("Paint"), button_style="primary", tooltip=tr("Begin to paint")
    )
    stop = widgets.Button(
        description=tr("Stop"),
        disabled=True,
        tooltip=tr("End after this evaluation, and keep the picture"),
    )
    save = widgets.Button(
        description=tr("Save"),
        disabled=True,
        tooltip=tr("Write the picture to a file; replaces none"),
    )
    return paint, stop, save


def _bar(painting: Painting) -> str:
    """How far it is, as a bar and in words."""
    done, planned = painting.evaluations, painting.planned
    told = tr("evaluation {done} of {of}, {seconds:.0f} s").format(
        done=done, of=planned, seconds=painting.seconds
    )
    bar = f'aria-label="{tr("Evaluations")}" value="{done}" max="{planned}"'
    return f"<progress {bar}></progress> {told}"


def _said(role: str, sentence: str) -> str:
    """A sentence that a screen reader reads out: role "status", or "alert" at once."""
    color = "color: #B00020; " if role == "alert" else ""
    look = f"{color}overflow-wrap: anywhere"  # a file's name may be wider than the page
    return f'<p role="{role}" style="{look}">{html.escape(sentence)}</p>'


def _picture(picture: Image.Image, words: str, width: int = SHOWN) -> str:
    """A picture with its words, at most `width` pixels wide, and less where it is very tall.

    The browser waits until it is decoded, so that the place is not blank in between.
    """
    width = math.ceil(width * min(1, TALLEST * picture.width / picture.height))
    file = io.BytesIO()
    picture.save(file, format="JPEG", quality=QUALITY)
    source = base64.b64encode(file.getvalue()).decode()
    look = f'decoding="sync" style="width: {width}px; max-width: 100%"'
    return f'<img alt="{html.escape(words)}" {look} src="data:image/jpeg;base64,{source}">'
