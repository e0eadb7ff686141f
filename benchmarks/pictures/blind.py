"""Compare painted pictures without knowing who painted them: a page in the browser.

python -m benchmarks.pictures.blind DIR            opens a page; choose with the mouse or the keys
python -m benchmarks.pictures.blind DIR --tally    says what was chosen so far

Each comparison shows our picture and another one, both by their own recipe, left and right by
chance. Choices are appended to DIR/choices.jsonl. The page needs no network: it comes from this
machine and is reached from this machine only.
"""

import argparse
import json
import random
import webbrowser
from collections import Counter
from dataclasses import asdict, dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from benchmarks.pictures import plan
from stlib import save_image

PAGE = plan.HERE / "blind.html"
CHOICES = ("left", "right", "same")
LONGEST = 1000  # bytes, of an answer


@dataclass(frozen=True)
class Comparison:
    """Two pictures of one pair; left and right are names of methods."""

    pair: str
    left: str
    right: str


def comparisons(folder: Path, seed: int | None = None) -> list[Comparison]:
    """Ours beside each other method, for each pair that both have painted, in random order.

    seed: of the order and the sides; None is another one each time.
    """
    chance = random.Random(seed)
    found = []
    for pair in plan.PAIRS:
        if not picture(folder, pair.name, "ours").is_file():
            continue
        for name in plan.NAMES[1:]:
            if picture(folder, pair.name, name).is_file():
                sides = ["ours", name]
                chance.shuffle(sides)
                found.append(Comparison(pair.name, *sides))
    chance.shuffle(found)
    return found


def picture(folder: Path, pair: str, method: str) -> Path:
    return folder / f"{pair}_{method}_own.png"


def note(folder: Path, comparison: Comparison, choice: str) -> None:
    """Append a choice to the file."""
    with (folder / "choices.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({**asdict(comparison), "choice": choice}) + "\n")


def tally(folder: Path) -> str:
    """How often ours was chosen, the other one, or neither: a line for each other method."""
    file = folder / "choices.jsonl"
    if not file.is_file():
        return "No choice yet."
    counts: Counter[tuple[str, str]] = Counter()
    for line in file.read_text("utf-8").splitlines():
        made = json.loads(line)
        sides = {made[side]: side for side in ("left", "right")}
        (other,) = sides.keys() - {"ours"}
        names = {sides["ours"]: "ours", sides[other]: "other", "same": "same"}
        counts[other, names[made["choice"]]] += 1
    lines = [f"{'against':<20} {'ours':>5} {'other':>5} {'same':>5}"]
    for method in plan.METHODS[1:]:
        figures = [counts[method.name, who] for who in ("ours", "other", "same")]
        if sum(figures):
            lines.append(f"{method.title:<20} " + " ".join(f"{figure:>5}" for figure in figures))
    return "\n".join(lines)


class Handler(BaseHTTPRequestHandler):
    """Serves the page, the pictures by number and side, and takes the choices."""

    def __init__(self, *arguments, folder: Path, asked: list[Comparison]):
        self.folder, self.asked = folder, asked
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """/ is the page; /7/left, /7/right, /7/photo and /7/painting are the pictures."""
        number, _, side = self.path.strip("/").partition("/")
        if self.path == "/":
            page = PAGE.read_text("utf-8").replace("COUNT", str(len(self.asked)))
            self.answer(page.encode(), "text/html; charset=utf-8")
        elif comparison := self.comparison(number):
            self.send_picture(comparison, side)
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """/7 with the word left, right or same is a choice."""
        length = int(self.headers.get("Content-Length") or 0)
        choice = self.rfile.read(min(length, LONGEST)).decode("utf-8", "replace")
        comparison = self.comparison(self.path.strip("/"))
        # another site's page may send a form here, but not with this header
        foreign = self.headers.get("X-Blind") is None
        if comparison is None or choice not in CHOICES or foreign:
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        note(self.folder, comparison, choice)
        self.answer(b"", "text/plain")

    def comparison(self, number: str) -> Comparison | None:
        known = number.isdecimal() and int(number) < len(self.asked)
        return self.asked[int(number)] if known else None

    def send_picture(self, comparison: Comparison, side: str) -> None:
        if side in ("left", "right"):
            path = picture(self.folder, comparison.pair, getattr(comparison, side))
        elif side in ("photo", "painting"):
            path = self.folder / f"{comparison.pair}_{side}.png"
        else:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self.answer(path.read_bytes(), "image/png")

    def answer(self, body: bytes, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")  # the next session shuffles anew
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing: the names of the methods are in no address, but the terminal stays quiet."""


def server(folder: Path, asked: list[Comparison], port: int = 0) -> ThreadingHTTPServer:
    """The server of the page, for this machine alone. port: 0 takes a free one."""
    for pair in plan.PAIRS:
        if any(comparison.pair == pair.name for comparison in asked):
            save_image(pair.content, folder / f"{pair.name}_photo.png")
            save_image(pair.style, folder / f"{pair.name}_painting.png")
    return ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, folder=folder, asked=asked))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default=plan.PICTURES, type=Path)
    parser.add_argument("--tally", action="store_true", help="say what was chosen so far")
    parser.add_argument("--port", default=0, type=int)
    chosen = parser.parse_args(arguments)
    if chosen.tally:
        print(tally(chosen.folder))
        return
    asked = comparisons(chosen.folder)
    if not asked:
        raise SystemExit(f"{chosen.folder} holds no pictures of ours and of others: paint first.")
    with server(chosen.folder, asked, chosen.port) as page:
        address = f"http://127.0.0.1:{page.server_port}/"
        print(f"{len(asked)} comparisons at {address} (Ctrl-C ends it)", flush=True)
        webbrowser.open(address)
        try:
            page.serve_forever()
        except KeyboardInterrupt:
            print()
    print(tally(chosen.folder))


if __name__ == "__main__":
    main()
