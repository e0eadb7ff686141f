"""The sentences of stlib in the reader's language: English, or Chinese from the catalogue.

STLIB_LANGUAGE=zh or =en says which; without it, the language of the system does. It is to be set
before stlib is imported, since some sentences are made then.
`make translations` writes the catalogue, from locale/zh_CN/LC_MESSAGES/stlib.po.
"""

import gettext
import locale
import os
from contextlib import suppress
from pathlib import Path

ASKED = ("STLIB_LANGUAGE", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")  # the first that is set
CATALOGUES = Path(__file__).with_name("locale")

# A notebook of notebooks/zh-CN is Chinese on an English system, too, and so are its processes.
with suppress(OSError):  # the folder may be gone
    if Path.cwd().name == "zh-CN" and not os.environ.get("STLIB_LANGUAGE"):
        os.environ["STLIB_LANGUAGE"] = "zh"


def language() -> str:
    """The reader's language: "zh_CN", or "en" for all others."""
    named = next(filter(None, map(os.environ.get, ASKED)), None) or locale.getlocale()[0] or ""
    return "zh_CN" if named.lower().startswith(("zh", "chinese")) else "en"


def tr(sentence: str) -> str:
    """A sentence in the reader's language; the sentence itself where there is no other.

    sentence: as it is written in the code, with {names} for what differs from call to call:
    `tr("There is no {file}.").format(file=file)`.
    """
    if language() == "en":
        return sentence
    return _catalogue(language()).gettext(sentence)


def marked(sentence: str) -> str:
    """The sentence itself, which is put into the catalogue here, and said elsewhere by `tr`."""
    return sentence


def _catalogue(name: str) -> gettext.NullTranslations:
    """gettext keeps what it has read."""
    return gettext.translation("stlib", CATALOGUES, [name], fallback=True)
