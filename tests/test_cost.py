"""The estimate of a run: its memory, held against measured processes, its time, and the refusal."""

import re
import subprocess
import sys
import time
from dataclasses import fields
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from stlib import Brush, Result, cost, estimate, sample, solver, style_transfer, transfer
from stlib.__main__ import main
from stlib.brushes import as_brushes
from stlib.cost import (
    Estimate,
    choose_tile,
    features_memory,
    free_memory,
    largest_size,
    memory_needed,
    seconds_per_pixel,
)
from stlib.descent import HISTORY_SIZE
from stlib.layers import layer_names
from stlib.settings import Settings

SHALLOW = {"content_layers": ("relu2_1",), "style_layers": ("relu1_1", "relu2_1")}
FRESH_RUN = """
import sys, stlib
content, style = stlib.sample("castle", {size}), stlib.sample("cafe-terrace", {size})
options = dict(solver="{solver}", steps={steps})
print(stlib.estimate(content, style, **options).bytes)
stlib.style_transfer(content, style, progress=False, **options)
with open("/proc/self/status") as status:
    print(1024 * int(next(line for line in status if line.startswith("VmHWM")).split()[1]))
"""


@pytest.fixture
def free(monkeypatch):
    """free(bytes): what the machine has left, and a network that may not be built."""

    def free(size):
        monkeypatch.setattr(cost, "free_memory", lambda: size)
        monkeypatch.setattr(cost, "best_device", lambda: torch.device("cpu"))
        monkeypatch.setattr(transfer, "VGG", lambda: pytest.fail("the network was built"))

    return free


@pytest.fixture
def one_second(monkeypatch):
    """Every megapixel takes a second, the network is not needed, and there is memory enough."""
    monkeypatch.setattr(cost, "seconds_per_pixel", lambda *_: 1e-6)
    monkeypatch.setattr(cost, "VGG", lambda: SimpleNamespace(depth=19))
    monkeypatch.setattr(cost, "free_memory", lambda: 1e12)


def blank(height, width):
    """A picture that takes no memory of its own."""
    return torch.zeros(1, 1, 1, 1).expand(1, 3, height, width)


def check(content, style, net=None, **options):
    """choose_tile for a picture, or a list of brushes, and some settings."""
    return choose_tile(content, as_brushes(style), Settings(**options), net)


def test_memory_grows_with_the_picture():
    """By no less than what every pixel adds to the first layer, and never falls."""
    needed = [memory_needed(size, size) for size in range(32, 1500, 31)]
    assert all(larger > smaller for smaller, larger in pairwise(needed))
    assert memory_needed(1024, 1024) - memory_needed(1024, 512) > 4 * 64 * 1024 * 512


def test_memory_does_not_depend_on_the_orientation():
    """Nor much on the shape."""
    assert memory_needed(300, 900) == pytest.approx(memory_needed(900, 300), rel=0.01)
    assert memory_needed(300, 900) == pytest.approx(memory_needed(520, 520), rel=0.05)


@pytest.mark.parametrize("depth", [16, 19])
def test_memory_grows_with_the_layers(depth):
    """A deeper block needs what lies below it; one more layer never needs less."""
    names = layer_names(depth)
    # the first layer of each block: a last one that is asked for is not pooled before its ReLU
    needed = [
        memory_needed(256, 256, (), (f"relu{block}_1",), depth=depth) for block in range(1, 6)
    ]
    assert all(deeper >= shallower for shallower, deeper in pairwise(needed))
    assert needed[0] < needed[-1] / 1.3
    one = memory_needed(256, 256, (), ("relu3_1",), depth=depth)
    assert all(memory_needed(256, 256, (), ("relu3_1", name), depth=depth) >= one for name in names)


def test_memory_grows_with_what_is_remembered():
    """Pairs of the history, other pictures and frames, each of three floats a pixel or more."""
    plain, picture = memory_needed(256, 256), 4 * 3 * 256 * 256
    assert memory_needed(256, 256, pairs=11) - plain >= 2 * picture
    assert memory_needed(256, 256, pictures=cost.PICTURES + 1) - plain >= picture
    assert memory_needed(256, 256, frames=3) - plain == pytest.approx(3 * picture, abs=2)


def test_features_alone_need_less():
    """No gradient, no optimiser."""
    assert features_memory(512, 512) < memory_needed(512, 512)
    assert features_memory(512, 512, ("relu1_1",)) < features_memory(512, 512)


def test_unknown_layers_are_left_to_the_network(free):
    """Its message names the nearest ones."""
    free(20e9)
    check(sample("castle", 64), sample("cat", 64), style_layers=("relu9_9",), content_layers=())


def test_an_estimate_takes_the_settings_of_style_transfer(one_second):
    """Each by its name, with its default; and refuses what is none."""
    picture = blank(64, 64)
    settings = {setting.name: getattr(Settings(), setting.name) for setting in fields(Settings)}
    assert estimate(picture, picture, **settings).seconds == estimate(picture, picture).seconds
    with pytest.raises(ValueError, match="steps is 0"):
        estimate(picture, picture, steps=0)


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="reads the peak of a process from /proc"
)
@pytest.mark.parametrize(("size", "name", "steps"), [(256, "plain", 10), (448, "fast", 5)])
def test_the_memory_of_a_fresh_process_is_within_a_quarter(size, name, steps):
    """Of all that the process has held, whichever solver."""
    code = FRESH_RUN.format(size=size, solver=name, steps=steps)
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    ).stdout
    estimated, peak = (int(line) for line in out.split())
    assert estimated == pytest.approx(peak, rel=0.25)


def test_the_memory_counts_what_the_process_holds_already(net, one_second, monkeypatch):
    """The second of two runs in a notebook begins with the first one's pictures."""
    monkeypatch.setattr(
        cost.psutil,
        "Process",
        lambda: SimpleNamespace(memory_info=lambda: SimpleNamespace(rss=5e9)),
    )
    needed = memory_needed(256, 256, pairs=10)
    with_net = estimate(blank(256, 256), blank(256, 256), net=net, solver="plain")
    assert with_net.bytes == 5e9 + needed
    assert estimate(blank(256, 256), blank(256, 256), solver="plain").bytes == pytest.approx(
        5e9 + needed + cost.NETWORK, abs=1
    )


@pytest.mark.parametrize(
    ("options", "pairs"),
    [
        ({"optimizer": "adam"}, 0),
        ({"steps": 4, "solver": "plain"}, 4),
        ({"solver": "plain"}, HISTORY_SIZE),
        ({"solver": "fast"}, HISTORY_SIZE),
        ({}, HISTORY_SIZE),
    ],
)
def test_the_history_is_as_long_as_the_run(one_second, monkeypatch, options, pairs):
    """Adam has none; L-BFGS fills its own in as many evaluations."""
    seen = []
    monkeypatch.setattr(cost, "memory_needed", lambda *_, pairs, **__: seen.append(pairs) or 0)
    estimate(blank(96, 96), blank(96, 96), **options)
    assert set(seen) == {pairs}


def test_frames_count(one_second):
    """One for every `keep_every` evaluations, those of the coarse stages included."""
    picture = 4 * 3 * 400 * 400
    for name, evaluations in (
        ("plain", 60),
        ("fast", sum(stage.evaluations for stage in solver.stages(60, 400))),
    ):
        without, with_them = (
            estimate(
                blank(400, 400), blank(400, 400), solver=name, steps=60, keep_every=every
            ).bytes
            for every in (None, 2)
        )
        assert with_them - without == pytest.approx(
            (evaluations + 1) // 2 * picture, rel=0.01, abs=2e6
        )


def test_a_large_style_picture_counts(one_second):
    """Its features are computed once, without a gradient."""
    small, large = (
        estimate(blank(64, 64), blank(side, side), solver="plain") for side in (64, 2000)
    )
    assert large.bytes - small.bytes > 4 * 64 * 2000**2
    assert large.seconds - small.seconds == pytest.approx(cost.FORWARD * 4, rel=0.01)


def test_seconds_grow_with_pixels_and_steps(one_second):
    """In proportion, but for the features of two pictures, and a little more on a long side."""
    seconds = estimate(blank(160, 90), blank(160, 90), steps=100).seconds
    assert seconds == pytest.approx(0.0144 * (100 + 2 * cost.FORWARD))
    large = estimate(blank(1600, 900), blank(1600, 900), steps=100).seconds
    assert large == pytest.approx(100 * seconds * (1 + (1200 - cost.TIMED_SIDE) * cost.SLOWER))


def test_seconds_are_those_of_a_run(net):
    """Within a factor of three, the best of three attempts: other programs may be busy."""
    content, style = sample("castle", 96), sample("cafe-terrace", 96)
    ratios = []
    while len(ratios) < 3 and not any(1 / 3 < ratio < 3 for ratio in ratios):
        estimated = estimate(content, style, net=net, solver="plain", steps=8).seconds
        began = time.perf_counter()
        style_transfer(content, style, net=net, solver="plain", steps=8, progress=False)
        ratios.append(estimated / (time.perf_counter() - began))
    assert any(1 / 3 < ratio < 3 for ratio in ratios), ratios


def test_fewer_layers_take_less_time(net):
    """What is timed are the layers that are asked for."""
    brushes = as_brushes(sample("cat", 64))
    deep, shallow = (
        min(seconds_per_pixel(net, 64, brushes, settings) for _ in range(2))
        for settings in (Settings(), Settings(content_layers=(), style_layers=["relu1_1"]))
    )
    assert shallow < deep


def test_brushes_are_timed_with_their_masks(net):
    """Whatever their sizes; the network and the pictures stay as they are."""
    content, mask = sample("castle", 64), torch.ones(43, 64)
    brushes = [Brush(sample("cat", 48), mask=mask), Brush(sample("cafe-terrace", 80), weight=2.0)]
    assert estimate(content, brushes, net=net, steps=1, **SHALLOW).seconds > 0
    assert torch.equal(mask, torch.ones(43, 64))


@pytest.mark.parametrize(
    ("seconds", "size", "text"),
    [
        (0.2, 9e8, "about 1 second and 0.9 GB of memory"),
        (42.4, 1.64e9, "about 42 seconds and 1.6 GB of memory"),
        (89, 1e9, "about 89 seconds and 1.0 GB of memory"),
        (91, 1e9, "about 2 minutes and 1.0 GB of memory"),
        (540, 9.96e9, "about 9 minutes and 10 GB of memory"),
        (5400, 31.4e9, "about 2 hours and 31 GB of memory"),
    ],
)
def test_an_estimate_in_words(seconds, size, text):
    """As precise as it is."""
    assert str(Estimate(seconds, int(size))) == text


def test_the_refusal_names_the_largest_size(free):
    """Before any work; in tiles, that size fits, and one pixel more does not."""
    free(1.2e9)
    picture = blank(1000, 1500)
    with pytest.raises(
        MemoryError,
        match=r"a picture of 1500 × 1000 pixels needs about [\d.]+ GB of memory, 1\.2 GB are free: "
        r"the largest that fits is \d+ pixels .*load_image\(…, size=\d+\)",
    ) as refused:
        style_transfer(picture, sample("cat", 64))
    size = int(re.search(r"size=(\d+)", str(refused.value))[1])
    check(blank(round(size * 2 / 3), size), sample("cat", 64))
    with pytest.raises(MemoryError):
        check(blank(round((size + 1) * 2 / 3), size + 1), sample("cat", 64))


def test_a_style_picture_that_is_too_large(free):
    """It is named; a content picture that fits is not. Tiles would do for it."""
    free(1.5e9)
    brushes = [Brush(sample("cat", 64)), Brush(blank(2000, 3000))]
    with pytest.raises(MemoryError, match="a style picture of 3000 × 2000 pixels needs"):
        style_transfer(sample("cat", 64), brushes, tile=3000)
    assert check(sample("cat", 64), brushes) == cost.TILES[0]
    assert check(sample("cat", 64), blank(2000, 3000), style_layers=()) is None


def test_the_largest_tiles_that_fit_are_taken(free):
    """None while the whole picture fits; a poster fits into 8 GB, beside 1 GB that is held."""
    needed = {
        tile: memory_needed(1000, 1500, pairs=10, pictures=22, tile=tile) + cost.NETWORK
        for tile in (None, *cost.TILES)
    }
    assert list(needed.values()) == sorted(needed.values(), reverse=True)
    for tile, size in needed.items():
        free(size)
        assert check(blank(1000, 1500), blank(64, 64)) == tile
    free(7e9)
    assert check(blank(2731, 4096), blank(2000, 1600)) in cost.TILES


def test_a_run_in_tiles_is_announced_as_one(one_second, monkeypatch):
    """With the seconds and the memory that tiles take."""
    monkeypatch.setattr(cost, "best_device", lambda: torch.device("cpu"))
    picture = blank(1024, 1536)
    whole, tiled = (estimate(picture, blank(64, 64), tile=tile) for tile in (None, 512))
    assert str(tiled).endswith(" GB of memory, in tiles of 512 pixels")
    assert "tiles" not in str(whole)
    assert tiled.bytes < whole.bytes - 5e8  # whatever the process holds
    assert 1.5 < tiled.seconds / whole.seconds < 2.5
    assert "tiles" not in str(estimate(picture, blank(64, 64), tile=2000))
    monkeypatch.setattr(cost, "free_memory", lambda: 2e9)
    assert estimate(picture, blank(64, 64)).tile in cost.TILES


def test_when_no_size_fits(free):
    """There is nothing to shrink to."""
    free(1e8)
    with pytest.raises(
        MemoryError, match=r"0\.1 GB are free: no size fits, so close other programs"
    ):
        style_transfer(sample("cat", 64), sample("cat", 64))


def test_what_fits_is_not_refused(free, net):
    """By the estimate's own number: with that, yes; with a little less, no."""
    content = sample("castle", 96)
    needed = memory_needed(*content.shape[2:], **SHALLOW, pairs=1)
    options = {"net": net, "solver": "plain", "steps": 1, **SHALLOW}
    free(needed)
    assert style_transfer(content, content, progress=False, **options).image.shape == content.shape
    free(needed - 1)
    with pytest.raises(MemoryError):
        style_transfer(content, content, progress=False, **options)


def test_nonsense_is_refused_first(free):
    """A typing error is not answered with a lecture on memory."""
    free(0)
    with pytest.raises(ValueError, match="steps is 0"):
        style_transfer(sample("cat", 64), sample("cat", 64), steps=0)


def test_a_graphics_card_is_not_asked(free):
    """It has its own memory."""
    free(0)
    check(
        blank(1000, 1500),
        sample("cat", 64),
        net=SimpleNamespace(device=torch.device("cuda"), depth=19),
    )


def test_the_check_takes_no_time():
    """The best of many, since other programs may be busy; on the slower machine it took 1 ms."""
    content, style = blank(512, 512), blank(512, 512)
    seconds = []
    for _ in range(50):
        began = time.perf_counter()
        check(content, style)
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 2e-3


@pytest.mark.parametrize(
    ("most", "expected"), [(10_000, 1500), (1000, 1000), (737, 737), (48, 48), (47, 0)]
)
def test_largest_size(most, expected):
    """Of 1500 × 1000 pixels whose longer side may be `most`: not enlarged, not under 32."""
    assert largest_size(1000, 1500, lambda height, width: width <= most) == expected
    assert largest_size(1500, 1000, lambda height, width: height <= most) == expected


def test_largest_size_keeps_the_shape():
    """As load_image does."""
    largest_size(
        1000,
        1500,
        lambda height, width: height == round(width * 2 / 3) or pytest.fail(f"{width} × {height}"),
    )


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({}, 8e9),
        ({"memory.max": "max", "memory.current": "1", "memory.stat": "inactive_file 0"}, 8e9),
        (
            {
                "memory.max": "3000000000",
                "memory.current": "1500000000",
                "memory.stat": "anon 1\ninactive_file 500000000\n",
            },
            2e9,
        ),
        (
            {
                "memory.max": "3000000000",
                "memory.current": "3100000000",
                "memory.stat": "inactive_file 0",
            },
            0,
        ),
        (
            {"memory.max": "30000000000", "memory.current": "1", "memory.stat": "inactive_file 0"},
            8e9,
        ),
        (
            {"memory.max": "3000000000", "memory.current": "1500000000", "memory.stat": "anon 1"},
            8e9,
        ),
        (
            {
                "memory/memory.limit_in_bytes": "4000000000",
                "memory/memory.usage_in_bytes": "1000000000",
                "memory/memory.stat": "total_inactive_file 0",
            },
            3e9,
        ),
        (
            {
                "memory/memory.limit_in_bytes": "9223372036854771712",
                "memory/memory.usage_in_bytes": "1000000000",
                "memory/memory.stat": "total_inactive_file 0",
            },
            8e9,
        ),
    ],
)
def test_the_limit_of_a_container(tmp_path, monkeypatch, files, left):
    """In either kind of control groups; what is not there, or not understood, limits nothing."""
    monkeypatch.setattr(cost, "CONTROL_GROUPS", tmp_path)
    monkeypatch.setattr(cost.psutil, "virtual_memory", lambda: SimpleNamespace(available=8e9))
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert free_memory() == left


def test_free_memory_of_this_machine():
    """A number of bytes."""
    assert 0 < free_memory() < 1e14


@pytest.fixture
def painted(monkeypatch, tmp_path):
    """The command line paints nothing, in an empty folder; a list of the estimates it asks for."""
    asked, history = [], [{"seconds": 1.0, "total": 2.0}]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "stlib._commands.transfer.paint", lambda content, *_, **__: Result(content, history)
    )
    monkeypatch.setattr(
        "stlib._commands.transfer.estimate_run",
        lambda content, brushes, settings, net: (
            asked.append(settings) or Estimate(541, 1_640_000_000)
        ),
    )
    return asked


def test_a_long_run_is_announced(painted, capsys):
    """In one line on stderr, with the arguments of the run."""
    assert (
        main(
            [
                "transfer",
                "castle",
                "cat",
                "-o",
                "out.png",
                "--size",
                "96",
                "--steps",
                "1000",
                "--solver",
                "plain",
            ]
        )
        == 0
    )
    out, err = capsys.readouterr()
    assert err == "stlib: 96 × 64 pixels, 1000 evaluations: about 9 minutes and 1.6 GB of memory\n"
    assert out.startswith("out.png: ")
    assert painted == [Settings(solver="plain", steps=1000)]


def test_a_short_run_is_not(painted, capsys):
    """The usual run is over before anybody has read it."""
    assert main(["transfer", "castle", "cat", "-o", "out.png"]) == 0
    assert capsys.readouterr().err == ""
    assert painted == []


def test_nor_is_one_that_turns_out_short(painted, monkeypatch, capsys):
    """On a fast machine."""
    monkeypatch.setattr("stlib._commands.transfer.estimate_run", lambda *_: Estimate(59, 10**9))
    assert (
        main(["transfer", "castle", "cat", "-o", "out.png", "--size", "96", "--steps", "1000"]) == 0
    )
    assert capsys.readouterr().err == ""


def test_the_command_line_refuses(free, capsys, tmp_path):
    """Exit code 1, one line, and no file."""
    free(3e8)
    assert main(["transfer", "castle", "cat", "-o", str(tmp_path / "out.png"), "--steps", "2"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"stlib: error: a picture of 256 × 171 pixels needs about .+\n", err)
    assert list(tmp_path.iterdir()) == []
