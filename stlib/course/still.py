"""What is shown of the studio where there are no widgets: a picture of it, and a sentence."""

import base64
import html
from importlib.resources import files

from stlib._language import marked, tr

SENTENCE = marked(
    "This is a still picture of the studio. To paint, type make studio in a terminal, or run this "
    "cell in JupyterLab."
)
WORDS = marked(
    "The studio: on the left the photo, the painting and the settings are chosen; on the right are "
    "the buttons Paint, Stop and Save, and below them the picture, the left half of it painted, "
    "the right half still the photo, with a slider."
)


class Still:
    """The picture with a sentence; a terminal shows the sentence alone."""

    def __init__(self, sentence: str | None = None):
        self.sentence = tr(SENTENCE) if sentence is None else sentence

    def __repr__(self) -> str:
        return self.sentence

    def _repr_html_(self) -> str:
        picture = base64.b64encode((files("stlib.course") / "studio.jpg").read_bytes()).decode()
        look = f'style="max-width: 100%" src="data:image/jpeg;base64,{picture}"'
        return f'<p>{html.escape(self.sentence)}</p><img alt="{html.escape(tr(WORDS))}" {look}/>'
