"""Every public function with arguments that somebody gives by mistake: nothing raw comes out.

The functions are found, not listed: one that is new is tried, or this test says how to call it.
"""

import importlib
import inspect
import math
import re
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
import torch
from hostile import each
from PIL import Image

import stlib
from stlib import Objective, Result, Settings, StlibError
from stlib.batch.frames import paint_frames

# beside stlib.__all__ and stlib.batch.__all__
MODULES = (
    "colour",
    "film",
    "losses",
    "course.explain",
    "course.grid",
    "course.quality",
    "course.show",
)
NOT_HERE = {  # what begins a cluster or takes nothing, and what a run alone calls
    *("stlib.doctor", "stlib.batch.run", "stlib.batch.share_cores"),
    *("stlib.film.add_frame", "stlib.film.encoded", "stlib.film.films"),
    *("stlib.course.quality.as_saved", "stlib.course.quality.features"),
    *("stlib.course.quality.check_same_size", "stlib.course.quality.leaning"),
    "stlib.course.quality.texture",
    "stlib.course.quality.wave_power",
}
PICTURE = torch.linspace(0, 1, 3 * 40 * 48).view(1, 3, 40, 48)
FEATURES = torch.rand(1, 4, 5, 6, generator=torch.Generator().manual_seed(0))
PIL = Image.new("RGB", (48, 40))
WRONG = {
    "an array": PICTURE.numpy(),
    "a picture of PIL": PIL,
    "a text": "castle.jpg",
    "a path": Path("castle.jpg"),
    "a result": Result(PICTURE),
    "nothing": None,
    "bytes": b"\x89PNG",
    "levels": (255 * PICTURE).to(torch.uint8),
    "a picture without a batch": PICTURE[0],
    "a tensor without a number": torch.empty(0),
    "an empty dict": {},
    "an empty list": [],
    "a list of nothing": [None],
    "a dict of nothing": {"a": None},
    "0…255": 255 * PICTURE,
    "a picture of nan": PICTURE * math.nan,
    "nan": math.nan,
    "a negative number": -1,
    "a number": 0.5,
    "a class": stlib.VGG,
}
VGG = stlib.VGG(weights="random", normalized=False, device="cpu")
LAYERS = {"content_layers": ["relu1_1"], "style_layers": ["relu1_1"]}
SHALLOW = Settings(**LAYERS, solver="plain")
JOB = stlib.batch.make_job("castle", "cat", "out.png")
ROW = {"a": 1.0, "b": 2.0}
HISTORY = [{"total": 2.0, "content": 1.0, "style": 1.0, "relu1_1": 1.0}] * 2
GRAM = torch.eye(4)


def variable():
    return PICTURE.clone().requires_grad_()


def square(x):
    total = x.square().sum()
    return total, {"total": float(total.detach())}


def call_of_descend():
    z = variable()
    return {
        "objective": square,
        "z": z,
        "picture": lambda z: z,
        "optimizer": torch.optim.SGD([z], lr=0.1),
        "evaluations": 2,
        "note": lambda seen: None,
    }


PAIR = {"content": PICTURE, "style": PICTURE}
JUDGED = {"result": PICTURE, **PAIR}
# of each function, arguments with which it works, and quickly
CALLS: dict[str, Callable[[], dict]] = {
    "stlib.content_loss": lambda: {"features": FEATURES, "target": FEATURES},
    "stlib.descend": call_of_descend,
    "stlib.equal_pulls": lambda: {
        "objective": Objective(VGG, PICTURE, PICTURE.flip(3), SHALLOW),
        "x": 1 - PICTURE,
    },
    "stlib.estimate": lambda: {**PAIR, "net": VGG, "tile": None},
    "stlib.gram_matrix": lambda: {"features": FEATURES, "mask": None},
    "stlib.lbfgs": lambda: {"z": variable(), "first_step": 1.0},
    "stlib.load_image": lambda: {"source": PIL, "size": 64, "enlarge": False},
    "stlib.load_mask": lambda: {"source": PIL, "content": PICTURE},
    "stlib.load_weights": lambda: {"source": "random", "depth": 16, "seed": 0},
    "stlib.match_colours": lambda: {"picture": PICTURE, "reference": PICTURE},
    "stlib.sample": lambda: {"name": "cat", "size": 64, "enlarge": False},
    "stlib.sample_names": dict,
    "stlib.save_image": lambda: {"image": PICTURE, "path": "out.png", "quality": 90},
    "stlib.style_layer_loss": lambda: {"features": FEATURES, "target": GRAM, "mask": None},
    "stlib.style_layer_losses": lambda: {"features": {"a": FEATURES}, "targets": {"a": GRAM}},
    "stlib.style_loss": lambda: {"E": {"a": torch.ones(())}, "w": {"a": 1.0}},
    "stlib.style_target": lambda: {"features": FEATURES},
    "stlib.style_transfer": lambda: {**PAIR, **LAYERS, "net": VGG, "steps": 1, "progress": False},
    "stlib.to_pil": lambda: {"image": PICTURE},
    "stlib.total_loss": lambda: {
        "content": torch.ones(()),
        "style": torch.ones(()),
        "alpha": 1.0,
        "beta": 1.0,
    },
    "stlib.total_variation": lambda: {"image": PICTURE},
    "stlib.batch.check_jobs": lambda: {"jobs": [JOB]},
    "stlib.batch.fingerprint": lambda: {"job": JOB},
    "stlib.batch.forecast": lambda: {"jobs": []},
    "stlib.batch.make_job": lambda: {"content": "castle", "style": "cat", "output": "out.png"},
    "stlib.batch.read_jobs": lambda: {"path": "jobs.toml"},
    "stlib.batch.sweep": lambda: {"content": "castle", "style": "cat", "output": "out.png"},
    "stlib.colour.match_colours": lambda: {"picture": PICTURE, "reference": PICTURE},
    "stlib.colour.to_opponent": lambda: {"picture": PICTURE},
    "stlib.colour.from_opponent": lambda: {"planes": PICTURE},
    "stlib.colour.luminance": lambda: {"picture": PICTURE},
    "stlib.colour.with_colours_of": lambda: {"picture": PICTURE, "colours": PICTURE},
    "stlib.colour.greyed_into_range": lambda: {"picture": PICTURE},
    "stlib.colour.square_root": lambda: {"matrix": torch.eye(3)},
    "stlib.film.check_film_path": lambda: {"path": "film.webp"},
    "stlib.film.check_film_suffix": lambda: {"path": "film.webp"},
    "stlib.film.film_frame": lambda: {"picture": PICTURE},
    "stlib.film.save_film": lambda: {"frames": [PICTURE, PIL], "path": "film.webp"},
    "stlib.losses.flatten_positions": lambda: {"features": FEATURES},
    "stlib.losses.gram_loss": lambda: {"gram": GRAM, "target": GRAM},
    "stlib.losses.roughness": lambda: {"image": PICTURE},
    "stlib.losses.overflow": lambda: {"image": PICTURE},
    "stlib.course.explain.receptive_field": lambda: {"layer": "relu1_1", "depth": 19},
    "stlib.course.explain.maximize": lambda: {
        "net": VGG,
        "layer": "relu1_1",
        "channels": [0],
        "size": 32,
        "steps": 1,
        "jitter": 1,
        "progress": False,
    },
    "stlib.course.explain.top_patches": lambda: {
        "net": VGG,
        "images": {"a": PICTURE},
        "layer": "relu1_1",
        "channel": 0,
        "count": 1,
    },
    "stlib.course.explain.invert": lambda: {
        "net": VGG,
        "image": PICTURE,
        "layer": "relu1_1",
        "steps": 1,
        "progress": False,
    },
    "stlib.course.explain.rebuild": lambda: {
        "loss": lambda picture: picture.square().sum(),
        "start": PICTURE,
        "steps": 2,
        "every": 1,
        "progress": False,
    },
    "stlib.course.explain.paint_statistic": lambda: {
        "net": VGG,
        "painting": PICTURE,
        "layers": ["relu1_1"],
        "statistic": torch.mean,
        "start": PICTURE,
        "steps": 1,
        "progress": False,
    },
    "stlib.course.explain.missed_by_one_kernel": lambda: {
        "net": VGG,
        "layer": "conv1_1",
        "learn": [PICTURE],
        "test": PICTURE,
    },
    "stlib.course.explain.pieces": lambda: {"picture": PICTURE, "height": 8, "width": 9},
    "stlib.course.explain.shuffled": lambda: {"picture": PICTURE, "seed": 0},
    "stlib.course.explain.zone_shares": lambda: {
        "pull": PICTURE[0, 0],
        "top": 4,
        "left": 4,
        "side": 16,
        "margin": 2,
    },
    "stlib.course.explain.equal_changes": lambda: {"picture": PICTURE, "pixels": 2, "seed": 0},
    "stlib.course.explain.shares_of_others": lambda: {
        "originals": {"a": {"relu1_1": FEATURES}, "b": {"relu1_1": 1 - FEATURES}},
        "changed": {"a": {"relu1_1": 0.5 * FEATURES}, "b": {"relu1_1": FEATURES}},
    },
    "stlib.course.explain.detail": lambda: {"pictures": PICTURE},
    "stlib.course.explain.equally_detailed": lambda: {
        "pictures": PICTURE[..., :16, :16],
        "names": ["castle"],
        "seed": 0,
    },
    "stlib.course.explain.psnr": lambda: {"image": PICTURE, "original": 1 - PICTURE},
    "stlib.course.grid.run": lambda: {
        "settings": {"usual": {}},
        **PAIR,
        "net": VGG,
        "steps": 1,
        **LAYERS,
    },
    "stlib.course.grid.judge": lambda: {"pictures": {"a": PICTURE}, **PAIR, "net": VGG},
    "stlib.course.grid.table": lambda: {"rows": {"a": ROW}},
    "stlib.course.quality.mean_loss": lambda: {"losses": ROW},
    "stlib.course.quality.judge": lambda: JUDGED,
    "stlib.course.quality.clipped": lambda: {"picture": PICTURE},
    "stlib.course.quality.grain": lambda: {"result": PICTURE, "style": PICTURE},
    "stlib.course.quality.style_losses": lambda: {"result": PICTURE, "style": PICTURE},
    "stlib.course.quality.content_distance": lambda: {"result": PICTURE, "content": PICTURE},
    "stlib.course.quality.border_ghost": lambda: JUDGED,
    "stlib.course.quality.mirror_ghost": lambda: {
        "result": PICTURE,
        "mirrored": PICTURE,
        "style": PICTURE,
    },
    "stlib.course.show.layer_look": lambda: {"layer": "relu1_1"},
    "stlib.course.show.images": lambda: {"pictures": {"a": PICTURE}, "columns": None},
    "stlib.course.show.pixel_for_pixel": lambda: {"pictures": {"a": PICTURE}, "title": ""},
    "stlib.course.show.losses": lambda: {
        "history": HISTORY,
        "alpha": 1.0,
        "beta": 1.0,
        "title": "",
    },
    "stlib.course.show.curves": lambda: {"series": {"a": [1.0, 2.0]}, "title": ""},
    "stlib.course.show.lines": lambda: {
        "series": {"a": ([1.0, 2.0], [1.0, 2.0])},
        "title": "",
        "x": "",
        "y": "",
    },
    "stlib.course.show.dots": lambda: {"groups": {"a": ROW}, "title": "", "x": ""},
    "stlib.course.show.paths": lambda: {
        "series": {"a": {"b": (1.0, 2.0)}},
        "title": "",
        "x": "",
        "y": "",
    },
    "stlib.course.show.finish": lambda: {"figure": plt.figure()},
    "stlib.course.show.bars": lambda: {"groups": {"a": ROW}, "title": "", "y": ""},
    "stlib.course.show.maps": lambda: {"feature_maps": {"a": GRAM}},
    "stlib.course.show.kernels": lambda: {"named": {"a": torch.rand(2, 3, 3, 3)}},
    "stlib.course.show.matrices": lambda: {"named": {"a": GRAM}, "title": ""},
    "stlib.course.show.clouds": lambda: {
        "named": {"a": torch.rand(2, 5)},
        "title": "",
        "x": "",
        "y": "",
    },
    "stlib.course.show.cloud_frames": lambda: {"paths": {"a": [torch.rand(2, 5)] * 2}},
    "stlib.course.show.square_frames": lambda: {
        "picture": PICTURE,
        "squares": {"relu1_1": (2, 2, 3)},
    },
    "stlib.course.show.convolution_frames": lambda: {"x": torch.rand(4, 5), "k": torch.eye(3)},
    "stlib.course.show.valley": lambda: {
        "loss": lambda w: w.square().sum(dim=0),
        "path": [(2.0, 1.0), (1.0, 0.5)],
        "title": "",
    },
    "stlib.course.show.film_strip": lambda: {"frames": [PICTURE], "every": 1, "title": ""},
    "stlib.course.show.gif": lambda: {"frames": [PICTURE, PICTURE], "seconds": 1.0},
}
# words for an argument that say more than its name
WORDS = {
    "source": "picture|file|bytes|PIL image|weights|folder",
    "image": "picture",
    "name": "sample",
    "frames": "picture",
    "layer": "layer|depth",
    "rows": "row",
    "path": "path|file|folder|film",
    **dict.fromkeys(("target", "original", "reference"), "features|image|gram"),
    **dict.fromkeys(("result", "content", "style", "mirrored"), "picture|result|content"),
    **dict.fromkeys(("content_layers", "style_layers"), "layer"),
    **dict.fromkeys(("size", "style_size"), "size|pixels"),
}
# what is no mistake there: a class can be called
RIGHT = {
    *(("stlib.descend", name, "a class") for name in ("objective", "picture", "note")),
    ("stlib.course.explain.rebuild", "loss", "a class"),
    ("stlib.course.explain.paint_statistic", "statistic", "a class"),
    ("stlib.course.show.valley", "loss", "a class"),
}


@pytest.fixture(autouse=True)
def quiet(tmp_path, monkeypatch):
    """An empty folder, one thread, and no windows; the network is not built again and again."""
    monkeypatch.chdir(tmp_path)
    Path("jobs.toml").write_text('[[job]]\ncontent="castle"\nstyle="cat"\noutput="out.png"\n')
    mpl.use("agg")
    monkeypatch.setattr("stlib.transfer.VGG", lambda: VGG)
    monkeypatch.setattr("stlib.cost.VGG", lambda: VGG)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def assert_no_raw_error(name, argument, value):
    """It returns, or its own error says in one sentence which argument is wrong."""
    module, _, function = name.rpartition(".")
    call = getattr(importlib.import_module(module), function)
    try:
        call(**{**CALLS[name](), argument: value})
    except (StlibError, ValueError, TypeError) as error:
        trace = error.__traceback__
        while trace.tb_next:
            trace = trace.tb_next
        raised_in = Path(trace.tb_frame.f_code.co_filename)
        assert Path(stlib.__file__).parent in raised_in.parents, f"{raised_in}: {error}"
        words = str(error)
        assert words.isprintable(), words
        assert len(words) < 500, words
        named = argument.replace("_", "[_ ]").removesuffix("s")
        assert re.search(rf"\b({named}|{WORDS.get(argument, named)})", words), words
    finally:
        plt.close("all")


@pytest.mark.survives("an argument that makes no sense")
@pytest.mark.parametrize("name", CALLS)
def test_a_natural_mistake_ends_in_a_sentence(name):
    arguments = list(CALLS[name]())
    tries = {
        f"{argument} is {told}": (argument, value)
        for argument in arguments
        for told, value in WRONG.items()
        if (name, argument, told) not in RIGHT
    }
    if tries:
        each(tries, lambda tried: assert_no_raw_error(name, *tried))


@pytest.mark.parametrize("name", CALLS)
def test_the_calls_themselves_work(name):
    """Else a mistake would be one of the call."""
    module, _, function = name.rpartition(".")
    getattr(importlib.import_module(module), function)(**CALLS[name]())


def test_every_public_function_is_tried():
    """A new one fails here until it is told how to call it."""
    listed = {"stlib": stlib.__all__, "stlib.batch": stlib.batch.__all__}
    for name in MODULES:
        module = importlib.import_module(f"stlib.{name}")
        own = [key for key, value in vars(module).items() if is_from(module.__name__, value)]
        listed[module.__name__] = [key for key in own if not key.startswith("_")]
    functions = {
        f"{module}.{name}"
        for module, names in listed.items()
        for name in names
        if inspect.isfunction(getattr(importlib.import_module(module), name))
    }
    # the mathematics is in stlib.__all__ and in its module
    again = {name for name in functions if f"stlib.{name.rpartition('.')[2]}" in CALLS}
    assert functions - again <= {*CALLS, *NOT_HERE} <= functions


def is_from(module, value):
    """Whether a function was written in this module."""
    return inspect.isfunction(value) and value.__module__ == module


# what somebody gives by habit, and how the answer begins
HABITS = {
    "no name of a device": (lambda: stlib.VGG(device="gpu"), "device is 'gpu': use \"cpu\""),
    "capital letters": (lambda: stlib.VGG(device="CPU"), "device is 'CPU': use \"cpu\""),
    "no such card": (lambda: stlib.VGG(device="cuda:77"), "this machine has no device 'cuda:77'"),
    "a device of PyTorch": (
        lambda: stlib.VGG(device=torch.device("cuda:77")),
        "this machine has no device 'cuda:77'",
    ),
    "a flag as text": (lambda: stlib.VGG(normalized="no"), "normalized is 'no': use True or"),
    "a tensor for a name": (lambda: stlib.VGG(pooling=PICTURE), "pooling is tensor("),
    "arguments the wrong way round": (
        lambda: VGG.features(["relu1_1"], PICTURE),
        "layers is a tensor: give the picture first",
    ),
    "one job": (lambda: stlib.batch.run(JOB), "jobs is Job("),
    "no jobs": (lambda: stlib.batch.run(None), "jobs is None: give a list of jobs"),
    "a file of jobs": (lambda: stlib.batch.run("a.toml"), "jobs is 'a.toml': give a list of jobs"),
    "names for jobs": (lambda: stlib.batch.check_jobs(x for x in ["a"]), "jobs holds 'a': give"),
    "a number to tell": (lambda: stlib.batch.run([], tell=3), "tell is 3: give a function"),
    "force as text": (lambda: stlib.batch.run([], force="no"), "force is 'no': use True or"),
    "frames by force": (lambda: paint_frames([], force="no"), "force is 'no': use True or"),
    "a number to paint": (lambda: stlib.batch.make_job(3, "cat", "a.png"), "content is 3: give"),
    "numbers for styles": (
        lambda: stlib.batch.make_job("cat", [3], "a.png"),
        "style is a tuple of int: give a text or a tuple, each entry a Painting",
    ),
    "settings as a dict": (
        lambda: stlib.batch.Job("cat", "castle", "a.png", settings={"steps": 3}),
        "settings is a dict of int: give a Settings",
    ),
    "a number as a mask": (lambda: stlib.batch.Painting("cat", mask=3), "mask is 3: give a text"),
    "a dict for an objective": (
        lambda: Objective(VGG, PICTURE, PICTURE, {"steps": 1}),
        "settings is {'steps': 1}: give stlib.settings.Settings",
    ),
    "no memory": (lambda: stlib.batch.share_cores(needed=0), "needed is 0: give a number of bytes"),
    "memory as text": (lambda: stlib.batch.share_cores(memory="a"), "memory is 'a': give a number"),
    "no name of a report": (lambda: stlib.batch.Report([], 0.0).save(None), "path is None: give"),
    "losses of a history": (
        lambda: stlib.style_loss({"relu1_1": 0.5}),
        "E is a dict of float: give a dict, each entry a tensor",
    ),
    "a quality above all": (
        lambda: stlib.save_image(PICTURE, "a.png", quality=1000),
        "quality is 1000: give a whole number from 1 to 100",
    ),
}


def test_habits_are_answered_in_one_sentence():
    """And before any work."""

    def give(habit):
        call, words = habit
        with pytest.raises((StlibError, ValueError)) as error:
            call()
        assert str(error.value).startswith(words), error.value
        assert "\n" not in str(error.value)

    each(HABITS, give)


def test_a_mistyped_setting_is_answered_with_the_right_one():
    for kind in (Settings, stlib.batch.Network, stlib.batch.Painting, stlib.batch.Job):
        name = [*inspect.signature(kind).parameters][-1]
        with pytest.raises(TypeError, match=rf"^{kind.__name__} has no .* did you mean '{name}'"):
            kind(**{f"{name}x": None})
