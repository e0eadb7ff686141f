"""Coarse-to-fine stages and the Fourier preconditioner: the same loss, another way down."""

import pytest
import torch
from torch.testing import assert_close

from stlib import Settings, sample, style_transfer
from stlib.colour import from_opponent, match_colours, to_opponent
from stlib.objective import Objective
from stlib.solver import (
    COARSE_GRAIN,
    LONGEST_STAGE,
    MARGIN,
    SMALLEST_SIDE,
    Stage,
    enlarge,
    fine_detail,
    grain,
    shrink,
    smooth,
    soft_colours,
    stages,
    waves,
)


@pytest.fixture
def paint(net):
    def paint(content=None, style=None, **settings):
        content = sample("astronaut", 160) if content is None else content
        style = sample("cafe-terrace", 200) if style is None else style
        return style_transfer(
            content, style, net=net, **{"solver": "fast", "steps": 12, "progress": False} | settings
        )

    return paint


# stages


@pytest.mark.parametrize("steps", [1, 2, 7, 50, 100, 300])
@pytest.mark.parametrize("side", [16, 60, 96, 170, 192, 256, 1000])
def test_the_work_of_all_stages_is_that_of_the_steps(steps, side):
    plan = stages(steps, side)
    work = sum(stage.cost * stage.evaluations for stage in plan)
    assert abs(work - steps) <= 0.5 + 1e-9 or plan[-1].evaluations == 1
    assert [stage.share for stage in plan] == sorted(stage.share for stage in plan)
    assert plan[-1].share == 1 and all(stage.evaluations >= 1 for stage in plan)


def test_small_pictures_have_no_coarse_stages():
    assert stages(40, 2 * SMALLEST_SIDE - 1) == [Stage(1.0, 40)]
    assert len(stages(40, 2 * SMALLEST_SIDE)) == 2 and len(stages(40, 4 * SMALLEST_SIDE)) == 3


def test_a_long_run_has_no_longer_coarse_stages():
    """So its way down is that of any other long run, only longer."""
    assert stages(300, 400)[:-1] == stages(100, 400)[:-1]
    assert [stage.evaluations for stage in stages(300, 400)[:-1]] == [LONGEST_STAGE, LONGEST_STAGE]
    assert stages(300, 400)[-1].evaluations - stages(100, 400)[-1].evaluations == 200


def test_an_evaluation_costs_its_share_of_the_pixels():
    assert Stage(0.25, 8).cost == 1 / 16 and Stage(1.0, 8).cost == 1


# smaller and larger


def test_shrink_and_enlarge_change_the_size_alone():
    image = torch.full((1, 3, 90, 61), 0.3)
    small = shrink(image, 0.5)
    assert small.shape == (1, 3, 45, 30)
    assert_close(small, torch.full_like(small, 0.3))
    assert_close(enlarge(small, (90, 61)), image)
    assert shrink(image, 1) is image


def test_detail_is_what_the_smaller_picture_lost():
    """The enlarged picture and its detail are the picture; of an even picture there is none."""
    image = sample("castle", 128)
    small = shrink(image, 0.5)
    assert_close(enlarge(small, image.shape[2:]) + fine_detail(image, small), image)
    even = torch.full((1, 3, 64, 64), 0.5)
    assert fine_detail(even, shrink(even, 0.5)).abs().max() < 1e-5


# waves


def wave(periods, side=64):
    """A picture of one wave, `periods` in its width."""
    return torch.cos(2 * torch.pi * periods * torch.arange(side) / side).expand(1, 3, side, side)


def with_margin(picture):
    """The picture with zeros around it, as wide as the margin of waves."""
    return torch.nn.functional.pad(picture, (MARGIN,) * 4)


@pytest.mark.parametrize("size", [(8, 8), (9, 12), (31, 17)])
def test_waves_begin_at_the_start(size):
    start = torch.rand(1, 3, *size)
    z, picture = waves(start, 0.5)
    assert z.shape == with_margin(start).shape
    assert z.requires_grad and z.is_leaf and not z.any()
    assert_close(picture(z), start)


def test_waves_are_linear(generator):
    """x − start = T z."""
    start = torch.rand(1, 3, 15, 22, dtype=torch.float64, generator=generator)
    z, picture = waves(start, 0.5)
    u, v = (torch.randn(z.shape, dtype=torch.float64, generator=generator) for _ in range(2))
    assert_close(picture(2 * u + v) - start, 2 * (picture(u) - start) + (picture(v) - start))


def test_opposite_edges_are_not_tied_together():
    """What z changes at the left edge hardly moves the right one, in brightness and in colours."""
    start = torch.zeros(1, 3, 64, 64)
    z, picture = waves(start, 0.25)
    z.data[..., MARGIN : MARGIN + 4] = 1.0
    change = to_opponent(picture(z)).abs().mean(dim=2)[0]  # [3, W]
    assert (change[:, -4:].mean(dim=1) < 0.2 * change[:, :4].mean(dim=1)).all()


def test_a_wave_is_scaled_by_its_frequency_to_the_minus_p():
    """A wave of brightness of 3 periods in 96 pixels moves 4^p times as far as one of 12."""
    grey = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
    for power in (0.25, 0.5, 1.0):
        _, picture = waves(torch.zeros(1, 3, 64, 64), power)
        slow, fast = (picture(grey * wave(periods, 96)).abs().max() for periods in (3, 12))
        assert_close(slow / fast, torch.tensor(4.0**power), rtol=1e-4, atol=0)


def test_fast_waves_of_colour_are_not_moved():
    """Slow ones are, as far as those of brightness; nothing that z holds makes coloured grain."""
    _, picture = waves(torch.zeros(1, 3, 64, 64), 0.25)
    for plane in (1, 2):
        colour = torch.eye(3)[plane].view(1, 3, 1, 1)
        brightness = torch.eye(3)[0].view(1, 3, 1, 1)
        of_colour, of_brightness = (
            [to_opponent(picture(planes * wave(periods, 96))).norm() for periods in (3, 24, 36)]
            for planes in (colour, brightness)
        )
        assert_close(of_colour[0], of_brightness[0], rtol=0.01, atol=0)
        assert of_colour[1] < 1e-3 * of_brightness[1]
        assert of_colour[2] < 1e-5 * of_brightness[2]


def test_a_start_gets_soft_colours_and_keeps_its_brightness():
    """Fine colours, which no later stage could take away, are gone; coarse ones stay."""
    start = 0.5 + 0.1 * from_opponent(
        torch.cat([wave(24)[:, :1], wave(2)[:, :1], wave(24)[:, :1]], 1)
    )
    before, after = to_opponent(start), to_opponent(soft_colours(start))
    assert_close(after[:, :2], before[:, :2], rtol=0, atol=5e-3)
    assert (before[:, 2] - before[:, 2].mean()).std() > 0.05
    assert (after[:, 2] - after[:, 2].mean()).std() < 5e-3


def test_the_constant_wave_is_moved_by_a_finite_amount():
    z, picture = waves(torch.zeros(1, 3, 16, 24), 0.5)
    assert torch.isfinite(picture(torch.ones_like(z))).all()


def test_waves_of_power_zero_are_the_brightness_of_pixels():
    start, change = torch.rand(1, 3, 12, 20), torch.rand(1, 3, 12, 20)
    x = waves(start, 0)[1](with_margin(change))
    assert_close(to_opponent(x)[:, 0], to_opponent(start)[:, 0] + change[:, 0])


def test_waves_leave_the_start_alone():
    start = torch.rand(1, 3, 8, 8)
    before = start.clone()
    z, picture = waves(start, 0.5)
    z.data.add_(1)
    assert torch.equal(start, before) and not torch.equal(picture(z), start)


def test_smooth_takes_fast_waves_away_and_leaves_slow_ones():
    slow, fast = wave(4), wave(round(0.45 * 64))
    assert_close(smooth(slow + fast)[..., 8:-8], slow[..., 8:-8], atol=0.02, rtol=0)
    assert (smooth(slow + fast) - slow).abs().max() < 0.5 * fast.abs().max()


def test_grain_has_its_strength_its_seed_and_no_fast_waves():
    like = torch.zeros(1, 3, 64, 48)
    noise = grain(like, COARSE_GRAIN, 0.5, seed=3)
    assert_close(noise[:, 0].std(), torch.tensor(COARSE_GRAIN))
    assert noise.mean(dim=(2, 3)).abs().max() < 1e-6
    assert torch.equal(noise[:, 0], noise[:, 1]) and torch.equal(noise[:, 1], noise[:, 2])
    assert torch.equal(noise, grain(like, COARSE_GRAIN, 0.5, seed=3))
    assert not torch.equal(noise, grain(like, COARSE_GRAIN, 0.5, seed=4))
    assert (smooth(noise) - noise)[..., 8:-8, 8:-8].std() < 0.1 * COARSE_GRAIN


def test_grain_of_a_higher_power_is_coarser():
    """How much neighbours differ, for noise of the same strength."""
    rough, soft = (
        grain(torch.zeros(1, 3, 64, 64), 1.0, power, seed=0).diff(dim=3).abs().mean()
        for power in (0.0, 1.0)
    )
    assert soft < 0.6 * rough


# the solver in style_transfer


def test_the_loss_is_that_of_the_picture_at_full_size(paint, net):
    """Whatever the way: the paper's terms, and the price of what is not clean."""
    content, style = sample("astronaut", 160), sample("cafe-terrace", 200)
    seen = []
    result = paint(content, style, callback=lambda evaluation, x, losses: seen.append((x, losses)))
    x, losses = seen[-1]
    expected = Objective(net, content, style, Settings().complete())(x)[1]
    assert losses == pytest.approx(expected, rel=1e-4)
    assert x.shape == content.shape and result.history[-1]["total"] == losses["total"]


def test_coarse_evaluations_are_kept_apart(paint):
    seen = []
    result = paint(
        steps=20,
        callback=lambda evaluation, x, losses: seen.append((evaluation, tuple(x.shape[2:]))),
    )
    plan = stages(20, 160)
    assert [len(result.coarse), len(result.history)] == [
        sum(s.evaluations for s in plan[:-1]),
        plan[-1].evaluations,
    ]
    assert [evaluation for evaluation, _ in seen] == list(range(len(seen)))
    sizes = [size for _, size in seen]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1] == (160, 160)
    seconds = [losses["seconds"] for losses in [*result.coarse, *result.history]]
    assert seconds == sorted(seconds)


def test_it_gets_further_than_the_plain_solver_with_the_same_work(paint):
    """On two pairs, 30 evaluations' worth of work."""
    for content, style in (("castle", "cafe-terrace"), ("cat", "langlois-bridge")):
        best = {}
        for solver in ("fast", "plain"):
            result = paint(sample(content, 144), sample(style, 144), solver=solver, steps=30)
            best[solver] = min(losses["total"] for losses in result.history)
        assert best["fast"] < best["plain"], (content, style)


def test_beta_follows_the_size(paint):
    """The default's number, given as one's own, paints the same: stages pursue one balance."""
    default = paint(steps=8)
    own = paint(steps=8, beta=33.0 * 512 * (160 // 8) * (160 // 8))
    assert_close(own.history[0]["total"], default.history[0]["total"], rtol=0.02, atol=0)


def first_picture(paint, content, **settings):
    """The picture of the first evaluation, which is a coarse one where there are coarse stages."""
    seen = []
    paint(content, callback=lambda evaluation, x, losses: seen.append(x) or True, **settings)
    return seen[0]


LARGE = 2 * SMALLEST_SIDE  # a square of this size allows one coarse stage


def test_with_coarse_stages_it_starts_with_the_content_in_the_styles_colours_and_with_grain(paint):
    content, style = sample("astronaut", LARGE), sample("cafe-terrace", LARGE * 5 // 4)
    first = first_picture(paint, content, style=style, seed=2)
    small = match_colours(shrink(content, 0.5), shrink(style, 0.5)).clamp(0, 1)
    assert_close(first, soft_colours(small) + grain(small, COARSE_GRAIN, 0.5, seed=2))


@pytest.mark.parametrize("settings", [{"beta": 0.0}, {"style_layers": []}, {"init": "style"}])
def test_without_style_or_from_another_start_there_is_no_grain(paint, settings):
    content = sample("astronaut", LARGE)
    style = sample("cafe-terrace", LARGE * 5 // 4)
    first, again = (
        first_picture(paint, content, style=style, seed=seed, **settings) for seed in (1, 2)
    )
    assert torch.equal(first, again)


@pytest.mark.parametrize("solver", ["plain", "fast"])
def test_a_small_picture_starts_with_the_content_itself(paint, solver):
    """The fast solver softens its colours."""
    content = sample("castle", 80)
    expected = soft_colours(content) if solver == "fast" else content
    assert_close(first_picture(paint, content, solver=solver), expected)


def test_fast_is_the_default_and_plain_that_of_adam(paint):
    content = sample("castle", 80)
    default, fast, adam, plain = (
        paint(content, steps=3, **settings).image
        for settings in (
            {"solver": None},
            {"solver": "fast"},
            {"solver": None, "optimizer": "adam"},
            {"solver": "plain", "optimizer": "adam"},
        )
    )
    assert torch.equal(default, fast) and torch.equal(adam, plain) and not torch.equal(fast, adam)


@pytest.mark.parametrize("init", ["content", "noise", "style", "tensor"])
def test_every_start_works(paint, init):
    content = sample("astronaut", 160)
    start = torch.full_like(content, 0.5) if init == "tensor" else init
    result = paint(content, init=start, steps=10, keep_every=4)
    assert result.image.shape == content.shape and torch.isfinite(result.image).all()
    assert {frame.shape for frame in result.frames} == {content.shape}
    totals = [losses["total"] for losses in result.history]
    assert min(totals) < totals[0]  # the last one may be a trial of the line search


def test_interrupted_in_a_coarse_stage_it_returns_a_picture_of_full_size(paint):
    def interrupt(evaluation, x, losses):
        if evaluation == 3:
            raise KeyboardInterrupt

    content = sample("astronaut", 160)
    result = paint(content, steps=40, callback=interrupt)
    assert result.reason == "interrupted" and result.history == [] and len(result.coarse) == 4
    assert result.image.shape == content.shape


def test_the_same_seed_is_the_same_picture(paint):
    one, again = (paint(init="noise", seed=3, steps=6).image for _ in range(2))
    assert torch.equal(one, again)
