"""The optimisation loop: what it returns, how it ends, and what it refuses."""

import copy
import math
import time
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as nnf
from torch.testing import assert_close

from stlib import VGG, estimate, gram_matrix, sample, style_transfer, total_variation
from stlib.course import grid
from stlib.objective import Objective, default_beta
from stlib.settings import STYLE_LAYERS, Settings

SHALLOW = {
    "content_layers": ("relu2_1",),
    "style_layers": ("relu1_1", "relu2_1"),
}  # quick, where depth does not matter


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def paint(net, content, style):
    """style_transfer of the small pictures in four evaluations, unless asked otherwise."""

    def paint(content=content, style=style, **options):
        return style_transfer(
            content,
            style,
            **{"net": net, "solver": "plain", "steps": 4, "progress": False, **options},
        )

    return paint


@pytest.fixture(scope="module")
def run(net):
    """Ten evaluations with the defaults, and the pictures that were evaluated."""
    pictures = []
    result = style_transfer(
        sample("castle", 96),
        sample("cafe-terrace", 80),
        net=net,
        solver="plain",
        steps=10,
        keep_every=4,
        progress=False,
        callback=lambda evaluation, x, losses: pictures.append(x),
    )
    return result, pictures


@pytest.fixture
def runs_of_the_network(net, monkeypatch):
    """A list that grows with every run of the network."""
    calls, walk = [], net.walk

    def counting(image, layers, padding):
        calls.append(list(layers))
        return walk(image, layers, padding)

    monkeypatch.setattr(net, "walk", counting)
    return calls


def not_finite(value):
    return lambda total, losses: (total * value, {**losses, "total": value})


def interrupt(*_):
    raise KeyboardInterrupt


def totals(result):
    return [losses["total"] for losses in result.history]


def test_total_falls(run):
    """By more than a quarter within ten evaluations."""
    assert totals(run[0])[-1] < 0.75 * totals(run[0])[0]


def test_total_falls_with_adam(paint):
    """As fast, on the normalised network."""
    falling = totals(paint(optimizer="adam", steps=6))
    assert falling[-1] < 0.75 * falling[0]


def test_the_castle_at_224_pixels_does_not_diverge(net):
    """Without a line search, L-BFGS took this loss to 1e191 of what it was."""
    result = style_transfer(
        sample("castle", 224),
        sample("cafe-terrace", 224),
        net=net,
        solver="plain",
        steps=12,
        progress=False,
    )
    assert totals(result)[-1] < 0.7 * totals(result)[0]


def test_history_has_one_entry_for_each_evaluation(run):
    """The documented keys, finite, and time goes forward."""
    result, pictures = run
    assert len(result.history) == len(pictures) == 10
    assert result.reason == "steps"
    for losses in result.history:
        assert list(losses) == [
            "seconds",
            "total",
            "content",
            "style",
            "tv",
            "roughness",
            "overflow",
            *STYLE_LAYERS,
        ]
        assert all(math.isfinite(value) for value in losses.values())
    seconds = [losses["seconds"] for losses in result.history]
    assert seconds[0] > 0
    assert all(earlier < later for earlier, later in pairwise(seconds))


def test_total_is_the_weighted_sum(paint):
    """L_total = α L_content + β L_style + tv · TV at every evaluation, not only at the first."""
    alpha, beta, tv = 2.0, 3e5, 5.0
    for losses in paint(alpha=alpha, beta=beta, tv=tv, init="style", **SHALLOW).history:
        assert losses["total"] == pytest.approx(
            alpha * losses["content"] + beta * losses["style"] + tv * losses["tv"], rel=1e-5
        )
        assert min(losses["content"], losses["style"], losses["tv"]) > 0


def test_style_is_the_mean_of_its_layers(run):
    """w_l = 1/5 unless told otherwise."""
    for losses in run[0].history:
        assert losses["style"] == pytest.approx(
            sum(losses[layer] for layer in STYLE_LAYERS) / 5, rel=1e-5
        )


def test_losses_are_the_papers(net, run):
    """Eqs. 1 and 4, written out, for the last picture evaluated."""
    result, pictures = run
    content, style = sample("castle", 96), sample("cafe-terrace", 80)
    difference = (
        net.features(pictures[-1], ["relu4_2"])["relu4_2"]
        - net.features(content, ["relu4_2"])["relu4_2"]
    )
    assert result.history[-1]["content"] == pytest.approx(
        float(difference.square().sum() / 2), rel=1e-4
    )
    of_x, of_style = (
        net.features(picture, ["relu3_1"])["relu3_1"] for picture in (pictures[-1], style)
    )
    G, A = (gram_matrix(features) / features[0, 0].numel() for features in (of_x, of_style))
    assert result.history[-1]["relu3_1"] == pytest.approx(
        float((G - A).square().sum() / (4 * 256**2)), rel=1e-4
    )


def test_content_loss_starts_at_zero(run):
    """The content picture has its own features; a step later it has others."""
    contents = [losses["content"] for losses in run[0].history]
    assert contents[0] == 0 < contents[1]


def test_default_beta_grows_with_the_content_features(net, style):
    """β ∝ N · M: a sum over twice the positions is met by twice the weight."""
    betas, sizes = [], []
    for size in (64, 96):
        objective = Objective(net, sample("castle", size), style)
        betas.append(objective.beta)
        sizes.append(objective.P["relu4_2"].numel())
    assert sizes[0] < sizes[1]
    assert betas[1] / betas[0] == pytest.approx(sizes[1] / sizes[0])
    assert default_beta(objective.P) == betas[1]


def test_default_beta_is_what_none_means(paint, net, content, style):
    """Naming the default changes nothing."""
    beta = default_beta(net.features(content, SHALLOW["content_layers"]))
    assert totals(paint(beta=beta, **SHALLOW)) == totals(paint(**SHALLOW))


def test_style_weights_are_a_list_or_a_dict(paint):
    """Both say the same, the dict in any order; L_style = Σ w_l E_l."""
    listed = paint(style_weights=[0.25, 4.0], **SHALLOW)
    named = paint(style_weights={"relu2_1": 4.0, "relu1_1": 0.25}, **SHALLOW)
    assert torch.equal(listed.image, named.image)
    for losses in listed.history:
        assert losses["style"] == pytest.approx(
            0.25 * losses["relu1_1"] + 4 * losses["relu2_1"], rel=1e-5
        )


def test_without_alpha_only_style_counts(paint):
    """α = 0 paints a texture: the content loss is still told, but not paid."""
    for losses in paint(alpha=0, beta=10.0, init="noise", **SHALLOW).history:
        assert losses["total"] == pytest.approx(10 * losses["style"], rel=1e-5)
        assert losses["content"] > 0


def test_without_style_layers_only_content_counts(paint):
    """The content is rebuilt from noise."""
    result = paint(style_layers=(), content_layers=["relu2_1"], init="noise", steps=8)
    assert list(result.history[0])[-3:] == ["tv", "roughness", "overflow"]
    assert all(
        losses["style"] == 0 and losses["total"] == losses["content"] for losses in result.history
    )
    assert totals(result)[-1] < 0.7 * totals(result)[0]


def test_without_content_layers_only_style_counts(paint):
    """The default β then multiplies by no N · M."""
    result = paint(content_layers=(), style_layers=["relu1_1"], init="noise")
    assert all(losses["content"] == 0 < losses["total"] for losses in result.history)
    assert totals(result)[-1] < totals(result)[0]


def test_tv_smooths(paint):
    """With a weight on the total variation, the picture is less than half as rough."""
    rough, smooth = (paint(tv=tv, init="noise", steps=10, **SHALLOW).image for tv in (0.0, 1e4))
    assert total_variation(smooth) < total_variation(rough) / 2


def test_result_is_the_best_picture_evaluated(paint, net, content, style, monkeypatch):
    """Steps may overshoot; the best picture is returned, its loss is the history's lowest."""
    monkeypatch.setattr("stlib.pyramid.ADAM_RATE", 0.1)
    pictures = []
    result = paint(
        optimizer="adam",
        steps=6,
        keep_every=1,
        callback=lambda evaluation, x, losses: pictures.append(x),
        **SHALLOW,
    )
    best = totals(result).index(min(totals(result)))
    assert best not in (0, 5)
    assert torch.equal(result.image, pictures[best].clamp(0, 1))
    assert torch.equal(result.frames[-1], result.image)
    objective = Objective(net, content, style, Settings(**SHALLOW))
    assert float(objective(pictures[best])[0]) == pytest.approx(min(totals(result)), rel=1e-5)


def test_only_the_result_is_clamped(run):
    """A clamp inside the loop would change what the optimiser believes it has done."""
    result, pictures = run
    assert pictures[-1].min() < 0 or pictures[-1].max() > 1
    assert result.image.min() >= 0
    assert result.image.max() <= 1


@pytest.mark.parametrize("size", [(64, 96), (97, 61), (33, 70)])
def test_result_has_the_form_of_the_content(paint, content, size):
    """[1, 3, H, W], float32, on the CPU, whatever the sizes; no pooling divides the sides."""
    picture = nnf.interpolate(content, size)
    image = paint(picture, steps=1).image
    assert (image.shape, image.dtype, image.device.type) == (picture.shape, torch.float32, "cpu")
    assert not image.requires_grad


@pytest.mark.parametrize("form", ["double", "channels last", "with gradient"])
def test_the_contents_type_and_layout_do_not_matter(paint, content, form):
    """The same numbers are the same picture, however they lie in memory."""
    other = {
        "double": content.double(),
        "channels last": content.to(memory_format=torch.channels_last),
        "with gradient": content.clone().requires_grad_(),
    }[form]
    assert torch.equal(paint(other, **SHALLOW).image, paint(content, **SHALLOW).image)
    assert torch.equal(paint(init=other, **SHALLOW).image, paint(content, **SHALLOW).image)


@pytest.mark.parametrize("init", ["content", "style"])
def test_half_precision_is_computed_in_single(paint, content, style, init):
    """Gradients this large do not fit into 16 bits."""
    result = paint(content.half(), style.half(), init=init)
    assert result.reason == "steps"
    assert result.image.dtype == torch.float32


def test_frames_are_the_best_pictures_so_far(run):
    """Every fourth evaluation, from the first on: of ten, numbers 0, 4 and 8."""
    result, pictures = run
    assert len(result.frames) == 3
    for evaluation, frame in zip((0, 4, 8), result.frames, strict=True):
        so_far = totals(result)[: evaluation + 1]
        assert torch.equal(frame, pictures[so_far.index(min(so_far))].clamp(0, 1))
    assert pictures[8].min() < 0 or pictures[8].max() > 1


def test_no_frames_unless_asked(paint):
    """They cost memory."""
    assert paint(steps=1, **SHALLOW).frames == []


def first_picture(paint, **options):
    pictures = []
    paint(steps=1, callback=lambda evaluation, x, losses: pictures.append(x), **SHALLOW, **options)
    return pictures[0]


def test_init_content(paint, content):
    """The default: the first picture evaluated is the content."""
    assert torch.equal(first_picture(paint), content)
    assert torch.equal(first_picture(paint, init="content"), content)


def test_init_style(paint, content, style):
    """The style picture, stretched to the content's shape; unchanged if it has it already."""
    assert torch.equal(first_picture(paint, init="style", style=content.flip(3)), content.flip(3))
    start = first_picture(paint, init="style")
    assert start.shape == content.shape
    assert_close(start.mean((2, 3)), style.mean((2, 3)), atol=0.01, rtol=0)


def test_init_noise(paint, content):
    """Uniform on 0…1: mean 1/2, variance 1/12."""
    start = first_picture(paint, init="noise")
    assert start.shape == content.shape
    assert 0 <= start.min() < 0.01
    assert 0.99 < start.max() <= 1
    assert_close(start.var(), torch.tensor(1 / 12), atol=0.003, rtol=0)


def test_init_tensor(paint, content, generator):
    """Any picture of the content's shape, kept as it is outside 0…1, and not written to."""
    picture = torch.rand(content.shape, generator=generator) * 1.4 - 0.2
    before = picture.clone()
    assert torch.equal(first_picture(paint, init=picture), before)
    paint(init=picture, **SHALLOW)
    assert torch.equal(picture, before)


def test_the_pictures_given_are_not_written_to(paint, content, style):
    """The result is a new picture."""
    before = content.clone(), style.clone()
    paint(init="content", **SHALLOW)
    assert torch.equal(content, before[0])
    assert torch.equal(style, before[1])


def test_the_same_seed_is_the_same_picture(paint):
    """Bit for bit; another seed is another picture."""
    first, again, other = (paint(init="noise", seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first.image, again.image)
    assert totals(first) == totals(again)
    assert not torch.equal(first.image, other.image)


def test_torchs_own_random_numbers_are_left_alone(paint):
    """The noise neither depends on torch.manual_seed nor moves its state."""
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = paint(init="noise", steps=1, **SHALLOW).image
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(paint(init="noise", steps=1, **SHALLOW).image, first)


def test_the_network_stays_as_it_was(net, paint):
    """Frozen, in eval mode, and no weight moves."""
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    paint()
    assert not net.training
    assert not any(
        parameter.requires_grad or parameter.grad is not None for parameter in net.parameters()
    )
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_targets_are_computed_once(paint, runs_of_the_network):
    """The network runs once for the content, once for the style, and once for each evaluation."""
    paint(steps=5, **SHALLOW)
    assert len(runs_of_the_network) == 2 + 5


def test_callback_sees_every_evaluation(paint):
    """callback(0, x, losses), callback(1, …), with what the history notes but for the time."""
    seen = []
    result = paint(
        callback=lambda evaluation, x, losses: seen.append((evaluation, losses)), **SHALLOW
    )
    assert [evaluation for evaluation, _ in seen] == [0, 1, 2, 3]
    for noted, (_, losses) in zip(result.history, seen, strict=True):
        assert noted == {"seconds": noted["seconds"], **losses}


def test_callback_ends_the_run(paint):
    """A true result stops it after that evaluation."""
    result = paint(callback=lambda evaluation, x, losses: evaluation == 2, steps=100, **SHALLOW)
    assert len(result.history) == 3
    assert result.reason == "callback"


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), MemoryError("mine"), KeyError(1)])
def test_an_error_of_the_callback_is_told_as_it_is(paint, error):
    """Also where it sounds as if the run had no memory."""

    def fails(evaluation, *_):
        if evaluation:
            raise error

    with pytest.raises(type(error)) as caught:
        paint(callback=fails, **SHALLOW)
    assert caught.value is error


def test_a_callback_that_returns_no_truth_is_told_so(paint):
    with pytest.raises(ValueError, match=r"^callback returned a ndarray.* or nothing\.$"):
        paint(callback=lambda *_: np.zeros(3), **SHALLOW)


def test_an_unknown_keyword_is_answered_with_the_nearest(content, style, net):
    for call in (
        lambda **wrong: style_transfer(content, style, **wrong),
        lambda **wrong: estimate(content, style, **wrong),
        lambda **wrong: grid.run({"usual": {}}, content, style, net, **wrong),
    ):
        with pytest.raises(TypeError, match=r"no argument 'style_wieghts'; did you mean 'style_w"):
            call(style_wieghts=1)


def test_a_network_that_cannot_paint_is_told_so(content, style, net):
    """The class in place of a network, and half precision, whose losses overflow."""
    with pytest.raises(ValueError, match=r"^net is the class VGG: give a network"):
        style_transfer(content, style, net=VGG)
    half = copy.deepcopy(net).half()
    with pytest.raises(ValueError, match=r"^net computes in torch\.float16.*net\.float\(\)\.$"):
        style_transfer(content, style, net=half)


def test_the_default_type_of_pytorch_does_not_matter(paint):
    """Some libraries set it to float64."""
    usual = paint(**SHALLOW).image
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(paint(**SHALLOW).image, usual)
    finally:
        torch.set_default_dtype(torch.float32)


def test_callback_cannot_disturb_the_run(paint):
    """What it gets are copies."""

    def vandal(evaluation, x, losses):
        x.zero_()
        losses.clear()

    assert torch.equal(paint(callback=vandal, **SHALLOW).image, paint(**SHALLOW).image)


def test_no_bar_when_not_wanted(paint, capfd):
    """progress=False prints nothing at all."""
    paint(progress=False, **SHALLOW)
    assert capfd.readouterr() == ("", "")


def test_bar_names_the_loss(paint, capsys):
    """On stderr, so that output can be piped; the number is that of the history."""
    result = paint(progress=True, callback=lambda *_: time.sleep(0.15), **SHALLOW)
    out, err = capsys.readouterr()
    assert out == ""
    assert "4" in err
    assert f"loss {totals(result)[1]:.3g}" in err


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_interruption_returns_the_best_so_far(paint, optimizer):
    """Ctrl-C at evaluation 5 keeps the six that were made."""
    pictures = []

    def stop_at_five(evaluation, x, losses):
        pictures.append(x)
        if evaluation == 5:
            raise KeyboardInterrupt

    result = paint(optimizer=optimizer, steps=100, callback=stop_at_five, **SHALLOW)
    assert result.reason == "interrupted"
    assert len(result.history) == 6
    assert torch.equal(
        result.image, pictures[totals(result).index(min(totals(result)))].clamp(0, 1)
    )


def test_interruption_inside_an_evaluation(paint, losses_from):
    """Half an evaluation does not count."""
    losses_from(3, interrupt)
    result = paint(steps=9, **SHALLOW)
    assert result.reason == "interrupted"
    assert len(result.history) == 3


def test_interruption_before_the_first_evaluation_is_raised(paint, losses_from):
    """There is nothing to return."""
    losses_from(0, interrupt)
    with pytest.raises(KeyboardInterrupt):
        paint(**SHALLOW)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_longer_finite_ends_the_run(paint, losses_from, content, value):
    """With the best picture until then, and a warning that points at the caller."""
    losses_from(3, not_finite(value))
    with pytest.warns(RuntimeWarning, match=r"evaluation 3 of 9.*smaller beta") as warned:
        result = paint(steps=9, **SHALLOW)
    assert warned[0].filename == __file__
    assert result.reason == "not finite"
    assert all(math.isfinite(total) for total in totals(result))
    assert len(result.history) == 3
    assert_close(result.image.mean(), content.mean(), atol=0.1, rtol=0)


def test_a_gradient_that_is_not_finite_ends_the_run(paint, losses_from, content):
    """It makes the next picture nan, and that picture's loss; the one before is returned."""
    losses_from(1, lambda total, losses: (total * math.nan, losses))
    with pytest.warns(RuntimeWarning, match="no longer finite"):
        result = paint(optimizer="adam", steps=9, **SHALLOW)
    assert len(result.history) == 2
    assert_close(result.image.mean(), content.mean(), atol=0.1, rtol=0)


def test_a_start_without_a_finite_loss_is_refused(paint):
    """There is no best picture; float32 cannot hold this total."""
    with pytest.raises(ValueError, match="starting picture is not finite"):
        paint(beta=1e300, **SHALLOW)


# a few, to see that they are looked at; test_settings.py and test_hostile_arguments.py have more
REFUSED = {
    "content": ({"content": "castle.jpg"}, "content is a str"),
    "content too small": ({"content": torch.zeros(1, 3, 8, 64)}, "pixels is too small"),
    "style": ({"style": torch.full((1, 3, 64, 64), 200.0)}, "style has values from 200"),
    "style too small": ({"style": torch.zeros(1, 3, 64, 8)}, "pixels is too small"),
    "setting": ({"alpha": -1}, "alpha is -1"),
    "no loss": ({"alpha": 0, "beta": 0}, "nothing to optimise"),
    "unknown layer": ({"style_layers": ["relu4_5"]}, "no layer 'relu4_5' in VGG-19"),
    "init of another shape": ({"init": torch.zeros(1, 3, 64, 65)}, "they must agree"),
    "net": ({"net": "vgg19"}, "net is a str"),
    "callback": ({"callback": 3}, "callback cannot be called"),
}


@pytest.mark.parametrize(("wrong", "message"), REFUSED.values(), ids=list(REFUSED))
def test_arguments_that_make_no_sense_are_refused(paint, runs_of_the_network, wrong, message):
    """ValueError in words, before the network has run."""
    with pytest.raises(ValueError, match=message):
        paint(**wrong)
    assert runs_of_the_network == []


def test_refused_before_the_network_is_built(content, style, monkeypatch):
    """A typing error costs no second of waiting for the weights."""
    monkeypatch.setattr("stlib.transfer.VGG", lambda: pytest.fail("the network was built"))
    with pytest.raises(ValueError, match="steps is 0"):
        style_transfer(content, style, steps=0)


def test_a_result_that_was_not_clamped_is_still_a_picture(paint, content):
    """A little outside of 0…1 is let in, so that a run can go on from its callback's picture."""
    assert len(paint(content * 1.6 - 0.3, steps=1, **SHALLOW).history) == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_pictures_of_any_float_type_are_painted(net, dtype, monkeypatch):
    """Also by the fast solver, which shrinks them first; and such that ask for a gradient."""
    monkeypatch.setattr("stlib.solver.SMALLEST_SIDE", 16)
    content, style = (sample(name, 64).to(dtype).requires_grad_() for name in ("castle", "cat"))
    result = style_transfer(content, style, net=net, steps=4, progress=False)
    assert result.coarse and result.image.dtype == torch.float32
    assert content.grad is None and style.grad is None


@pytest.mark.parametrize("settings", [{"beta": 0.0}, {"style_layers": []}], ids=str)
def test_without_a_style_the_photo_stays_as_it_is(net, settings):
    """The fast solver has nothing to keep clean then: the photo is its own best result."""
    photo = sample("castle", 96)
    result = style_transfer(photo, photo, net=net, steps=6, progress=False, **settings)
    assert torch.equal(result.image, photo) and result.reason == "converged"
