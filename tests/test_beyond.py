"""Other losses for the same loop: what each sees, and what each is blind to."""

import itertools

import pytest
import torch
from torch.testing import assert_close

from stlib import VGG, sample, style_layer_loss
from stlib.course import beyond
from stlib.course.beyond import LOSSES, PLANE, Loss

EACH = pytest.mark.parametrize("name", LOSSES)


def cloud(N=3, M=40, seed=0):
    return torch.rand(N, M, generator=torch.Generator().manual_seed(seed))


def distance(loss: Loss, F, painting):
    return float(loss.loss(F, loss.target(painting)))


@EACH
def test_a_cloud_is_nowhere_away_from_itself(name):
    assert distance(LOSSES[name], cloud(), cloud()) == pytest.approx(0, abs=1e-5)


@EACH
def test_where_a_vector_lies_does_not_matter(name):
    shuffled = cloud()[:, torch.randperm(40, generator=torch.Generator().manual_seed(1))]
    assert distance(LOSSES[name], shuffled, cloud(seed=2)) == pytest.approx(
        distance(LOSSES[name], cloud(), cloud(seed=2)), rel=1e-4
    )


@EACH
def test_maps_and_matrices_are_the_same_cloud(name):
    F = cloud(3, 12)
    assert distance(LOSSES[name], F.view(1, 3, 3, 4), cloud(seed=2)) == pytest.approx(
        distance(LOSSES[name], F, cloud(seed=2)), rel=1e-6
    )


@EACH
@pytest.mark.parametrize("M", [1, 2, 40])
def test_its_gradient_is_finite_where_channels_are_dead_or_positions_few(name, M):
    """The square root of a variance of 0 has no slope."""
    F = cloud(4, M)
    F[0] = 0
    F.requires_grad_()
    loss = LOSSES[name].loss(F, LOSSES[name].target(cloud(4, 7, seed=3)))
    (gradient,) = torch.autograd.grad(loss, F)
    assert torch.isfinite(loss) and torch.isfinite(gradient).all()


@EACH
def test_a_step_against_its_gradient_comes_nearer(name):
    loss, F = LOSSES[name], cloud().requires_grad_()
    target = loss.target(cloud(seed=2) + 0.3)
    value = loss.loss(F, target)
    (gradient,) = torch.autograd.grad(value, F)
    assert loss.loss(F - 0.01 * gradient / gradient.norm(), target) < value


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "gram"])
def test_another_layers_target_is_refused(name):
    with pytest.raises(ValueError, match="features of 3 channels, a target of 4"):
        LOSSES[name].loss(cloud(3), LOSSES[name].target(cloud(4)))


SAME = {  # the clouds of `toy_clouds` that are the painting to a loss
    "gram": {"cloud 3", "cloud 4"},
    "moments": {"cloud 1", "cloud 4"},
    "wasserstein": {"cloud 4"},
    "sliced": set(),
    "nearest": {"cloud 2"},
}


@EACH
def test_what_each_is_blind_to(name):
    clouds = beyond.toy_clouds()
    painting = clouds.pop("the painting")
    found = {cloud: distance(PLANE[name], F, painting) for cloud, F in clouds.items()}
    assert {cloud for cloud, loss in found.items() if loss < 1e-3} == SAME[name]
    assert all(loss > 0.02 for cloud, loss in found.items() if cloud not in SAME[name])


def test_the_moments_loss_is_that_of_means_and_deviations():
    F, F_a = cloud(), cloud(seed=2)
    expected = (F.mean(1) - F_a.mean(1)).square() + (
        F.std(1, correction=0) - F_a.std(1, correction=0)
    ).square()
    assert distance(LOSSES["moments"], F, F_a) == pytest.approx(float(expected.mean()), rel=1e-2)


def test_wasserstein_of_one_channel_is_the_moments_loss():
    """Between Gaussians on a line: (μ − μ_a)² + (σ − σ_a)²."""
    F, F_a = 5 * cloud(1), cloud(1, seed=2)
    assert distance(LOSSES["wasserstein"], F, F_a) == pytest.approx(
        distance(LOSSES["moments"], F, F_a), rel=1e-4
    )


def test_wasserstein_does_not_turn_with_the_axes():
    Q, _ = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(4)))
    loss = LOSSES["wasserstein"]
    assert distance(loss, Q @ cloud(), Q @ cloud(seed=2)) == pytest.approx(
        distance(loss, cloud(), cloud(seed=2)), rel=1e-3
    )


def test_sorting_finds_the_cheapest_of_all_ways():
    u, v = torch.tensor([3.0, 0.0, 5.0]), torch.tensor([1.0, 6.0, 2.0])
    cheapest = min(
        float((u - v[list(order)]).square().mean()) for order in itertools.permutations(range(3))
    )
    target = beyond.Slices(torch.ones(1, 1), v.sort().values[None])
    assert float(beyond.sliced_loss(u[None], target)) == cheapest == 1


def test_resized_keeps_what_is_evenly_spread():
    values = torch.arange(8.0)[None]
    assert_close(beyond.resized(values, 4), torch.tensor([[0.5, 2.5, 4.5, 6.5]]))
    assert beyond.resized(values, 8) is values


def test_other_seeds_are_other_directions():
    one, two = (beyond.slices(cloud(), seed).directions for seed in (0, 1))
    assert_close(one.norm(dim=1), torch.ones(3))
    assert (one - two).abs().max() > 0.1


def test_the_nearest_are_those_of_all_pairs():
    F, F_a = cloud(3, 9), cloud(3, 7, seed=2)
    mean = F_a.mean(1, keepdim=True)
    cosines = torch.cosine_similarity((F - mean)[:, :, None], (F_a - mean)[:, None], dim=0)
    assert distance(LOSSES["nearest"], F, F_a) == pytest.approx(
        float(1 - cosines.amax(dim=1).mean()), rel=1e-5
    )


def test_many_positions_are_compared_in_pieces(monkeypatch):
    whole = distance(LOSSES["nearest"], cloud(3, 50), cloud(seed=2))
    monkeypatch.setattr(beyond, "ROWS", 7)
    assert distance(LOSSES["nearest"], cloud(3, 50), cloud(seed=2)) == pytest.approx(whole)


@pytest.fixture(scope="module")
def net():
    return VGG(device="cpu")


def test_the_objective_with_gram_is_that_of_the_course(net):
    from stlib.objective import Objective

    content, style = sample("castle", 64), sample("cafe-terrace", 48)
    total, terms = beyond.Objective(net, content, style, LOSSES["gram"])(0.9 * content)
    expected, theirs = Objective(net, content, style)(0.9 * content)
    assert_close(total, expected, rtol=1e-4, atol=0)
    assert terms["style"] == pytest.approx(theirs["style"], rel=1e-4)


def test_pull_is_the_length_of_the_gradient(net):
    content, style = sample("castle", 48), sample("cafe-terrace", 48)
    x = content.clone().requires_grad_()
    F = net.features(x, ["relu1_1"])["relu1_1"]
    target = LOSSES["gram"].target(net.features(style, ["relu1_1"])["relu1_1"])
    (gradient,) = torch.autograd.grad(style_layer_loss(F, target), x)
    loss = LOSSES["gram"]._replace(layers=("relu1_1",))
    assert beyond.pull(net, content, style, loss) == pytest.approx(float(gradient.norm()), rel=1e-4)


@EACH
def test_a_walk_comes_nearer_and_keeps_its_start(name):
    clouds = beyond.toy_clouds()
    start = clouds["cloud 1"] + 0.5
    path = beyond.walk(PLANE[name], start, clouds["the painting"], steps=6)
    assert len(path) == 7 and torch.equal(path[0], start)
    assert distance(PLANE[name], path[-1], clouds["the painting"]) < distance(
        PLANE[name], start, clouds["the painting"]
    )


def test_the_riddle_has_one_answer():
    """To the loss that moved it, each cloud is the painting; Gram and moments miss the others'."""
    clouds = beyond.riddle()
    painting = clouds["the painting"]
    for letter, name in beyond.MOVED_BY.items():
        assert distance(PLANE[name], clouds[letter], painting) < 1e-3
