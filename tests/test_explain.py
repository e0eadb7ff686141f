"""Looking inside: pictures that excite a channel, patches that do, layers inverted."""

import pytest
import torch
from torch.testing import assert_close

from stlib import VGG, sample
from stlib.course import explain
from stlib.course.explain import (
    invert,
    maximize,
    paint_statistic,
    psnr,
    receptive_field,
    top_patches,
)
from stlib.layers import layer_table


def activation(net, picture, layer, channel):
    with torch.no_grad():
        return net.features(picture, [layer])[layer][0, channel]


@pytest.fixture(scope="module")
def random_net():
    """An untrained network. Do not change it."""
    return VGG(weights="random", normalized=False, device="cpu")


# receptive fields


def test_receptive_field_is_that_of_the_table():
    for row in layer_table():
        assert receptive_field(row.name) == row.receptive_field
    assert receptive_field("conv5_1", depth=16) == 132


def test_unknown_layer_is_refused(net):
    with pytest.raises(ValueError, match="no layer 'relu4_5' in VGG-19"):
        receptive_field("relu4_5")
    for look in (
        lambda: maximize(net, "relu9_1", [0]),
        lambda: top_patches(net, {}, "relu9_1", 0),
        lambda: invert(net, sample("cat", 64), "relu9_1"),
    ):
        with pytest.raises(ValueError, match="no layer"):
            look()


# maximised channels


def test_maximised_picture_excites_its_own_channel_most(net):
    """Each of three pictures excites its own channel more than the others do, or a photo."""
    channels = [4, 13, 20]
    pictures = maximize(net, "relu2_1", channels, size=48, steps=24, progress=False)
    assert pictures.shape == (3, 3, 48, 48)
    assert pictures.min() >= 0 and pictures.max() <= 1 and not pictures.requires_grad
    answers = torch.stack(
        [
            net.features(picture[None], ["conv2_1"])["conv2_1"][0, channels].mean(dim=(1, 2))
            for picture in pictures
        ]
    )
    assert answers.argmax(dim=0).tolist() == [0, 1, 2]
    photo = net.features(sample("cat", 96), ["conv2_1"])["conv2_1"][0, channels].mean(dim=(1, 2))
    assert (answers.diag() > photo).all()


def test_a_channel_that_starts_silent_is_maximised_too(net):
    """The convolution below the ReLU is what is followed: a silent ReLU has no gradient."""
    channel = int(
        net.features(torch.full((1, 3, 48, 48), 0.5), ["conv2_1"])["conv2_1"][0]
        .mean(dim=(1, 2))
        .argmin()
    )
    picture = maximize(net, "relu2_1", [channel], size=48, steps=24, progress=False)
    assert activation(net, picture, "relu2_1", channel).mean() > 0


def test_maximising_depends_on_the_seed_alone(net):
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one, again, other = (
        maximize(net, "relu1_2", [0], size=32, steps=3, seed=seed, progress=False)
        for seed in (5, 5, 6)
    )
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert torch.equal(before, torch.random.get_rng_state()), (
        "the caller's random numbers are left alone"
    )


def test_jitter_takes_away_the_dependence_on_one_place(net):
    """With jitter, the activation changes less when the picture is moved by a pixel."""

    def change(jitter):
        picture = maximize(net, "relu3_1", [2], size=48, steps=24, jitter=jitter, progress=False)
        here, there = (
            activation(net, picture[..., i : 40 + i, i : 40 + i], "conv3_1", 2).mean()
            for i in (0, 1)
        )
        return abs(float(here - there)) / abs(float(here))

    assert change(4) < change(0)


@pytest.mark.parametrize("channels", [[64], [-1], [0, 70], []])
def test_channels_that_do_not_exist_are_refused(net, channels):
    with pytest.raises(ValueError, match=r"has the channels 0 … 63"):
        maximize(net, "relu1_1", channels)


def test_a_picture_for_a_random_network_is_made_too(random_net):
    assert torch.isfinite(
        maximize(random_net, "relu1_2", [0, 1], size=32, steps=3, progress=False)
    ).all()


# top patches


@pytest.mark.parametrize("layer", ["relu1_1", "conv2_2", "relu3_1"])
def test_a_patch_holds_all_that_its_channel_saw(net, layer):
    """With noise everywhere outside of the patch, the channel answers in the middle as before."""
    image, channel, r = sample("castle", 160), 9, receptive_field(layer)
    stride = next(row.stride for row in layer_table() if row.name == layer)
    patches = [
        patch
        for patch in top_patches(net, {"castle": image}, layer, channel, count=12)
        if min(patch.row, patch.column) >= 0
        and patch.row + r <= image.shape[2]
        and patch.column + r <= image.shape[3]
    ]
    assert patches, "some lie wholly inside"
    for patch in patches:
        here = (..., slice(patch.row, patch.row + r), slice(patch.column, patch.column + r))
        assert_close(patch.image, image[here])
        noise = torch.rand(image.shape, generator=torch.Generator().manual_seed(0))
        noise[here] = patch.image
        y, x = ((corner - (stride - r) // 2) // stride for corner in (patch.row, patch.column))
        assert float(activation(net, noise, layer, channel)[y, x]) == pytest.approx(
            patch.activation, rel=1e-3, abs=1e-4
        )


def test_the_strongest_patch_comes_first_and_is_the_maximum(net):
    images = {name: sample(name, 96) for name in ("castle", "cat")}
    patches = top_patches(net, images, "relu2_1", 7, count=5)
    values = [patch.activation for patch in patches]
    assert values == sorted(values, reverse=True) and len(patches) == 5
    assert values[0] == max(
        float(activation(net, image, "relu2_1", 7).max()) for image in images.values()
    )


def test_patches_of_one_picture_keep_apart(net):
    r = receptive_field("relu3_1")
    patches = top_patches(net, {"cat": sample("cat", 192)}, "relu3_1", 5, count=6)
    for i, one in enumerate(patches):
        for other in patches[:i]:
            assert max(abs(one.row - other.row), abs(one.column - other.column)) >= r // 2


def test_what_lies_beyond_the_picture_is_white(net):
    image = torch.zeros(1, 3, 64, 64)
    patches = top_patches(net, {"black": image}, "relu5_1", 0, count=1)
    assert patches[0].image.shape == (1, 3, 156, 156)
    assert float(patches[0].image.sum()) == 3 * (156**2 - 64**2), (
        "the black picture lies in a white frame"
    )
    assert patches[0].source == "black"


def test_few_places_give_few_patches(net):
    assert len(top_patches(net, {"small": sample("cat", 64)}, "relu5_1", 0, count=9)) == 1


# inversion


def test_inverting_a_shallow_layer_gives_the_picture_back(net):
    image = sample("cat", 64)
    rebuilt = invert(net, image, "relu1_1", progress=False)
    assert rebuilt.shape == image.shape and rebuilt.min() >= 0 and rebuilt.max() <= 1
    assert psnr(rebuilt, image) > 30


def test_deeper_layers_give_less_back(net):
    """The same noise, the same budget: each deeper layer knows fewer of the pixels."""
    image = sample("castle", 96)
    quality = [
        psnr(invert(net, image, layer, steps=40, progress=False), image)
        for layer in ("relu1_1", "relu3_1", "relu5_1")
    ]
    assert quality[0] > quality[1] + 5 > quality[2] + 10


def test_inverting_brings_the_features_near(net):
    image = sample("castle", 64)

    def far(picture):
        found = [net.features(p, ["relu4_1"])["relu4_1"] for p in (picture, image)]
        return float((found[0] - found[1]).square().sum())

    with torch.no_grad():
        assert (
            far(invert(net, image, "relu4_1", steps=40, progress=False))
            < far(torch.full_like(image, 0.5)) / 10
        )


def test_inverting_depends_on_the_seed_alone(net):
    one, again, other = (
        invert(net, sample("cat", 48), "relu2_1", steps=4, seed=seed, progress=False)
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_too_small_a_picture_is_refused(net):
    with pytest.raises(ValueError, match="too small for relu5_1"):
        invert(net, torch.rand(1, 3, 8, 8), "relu5_1")


# painting from a statistic


def means(features):
    return features.mean(dim=(2, 3))


def test_a_picture_is_painted_that_has_the_statistic_of_another(net):
    """Of another size, too; and the start is left as it was."""
    painting, start = sample("harvest-at-la-crau", 64), torch.full((1, 3, 48, 48), 0.5)
    layers = ["relu1_1", "relu2_1"]
    painted = paint_statistic(net, painting, layers, means, start, steps=30, progress=False)

    def far(picture):
        with torch.no_grad():
            found, wanted = (net.features(p, layers) for p in (picture, painting))
        return sum(
            float((means(found[one]) - means(wanted[one])).square().mean()) for one in layers
        )

    assert painted.shape == start.shape and painted.min() >= 0 and painted.max() <= 1
    assert far(painted) < far(start) / 100
    assert (start == 0.5).all()


# psnr


def test_psnr_by_hand():
    assert psnr(torch.full((1, 3, 4, 4), 0.6), torch.full((1, 3, 4, 4), 0.5)) == pytest.approx(
        20.0, abs=1e-3
    )
    assert psnr(torch.full((1, 3, 4, 4), 0.51), torch.full((1, 3, 4, 4), 0.5)) == pytest.approx(
        40.0, abs=1e-2
    )


def test_the_colour_mix_is_the_samples(net):
    """White noise that is mixed has the samples' colour correlations, up to one factor."""
    mix = explain._colour_mix()
    colours = torch.cat([sample(name, 64)[0].flatten(1) for name in explain.sample_names()], dim=1)
    covariance = torch.cov(colours)
    assert_close(
        mix @ mix.T, covariance / torch.linalg.eigvalsh(covariance).max(), rtol=1e-3, atol=1e-4
    )


class TestRebuild:
    """Downhill on the pixels, with any loss."""

    def test_a_loss_on_pixels_brings_the_picture_back(self):
        photo, start = sample("castle", 64), torch.full_like(sample("castle", 64), 0.5)
        found = explain.rebuild(lambda x: (x - photo).square().sum() / 2, start, steps=8, every=2)
        assert explain.psnr(found.picture, photo) > 40
        assert found.losses[0] == pytest.approx(float((start - photo).square().sum() / 2))
        assert torch.equal(start, torch.full_like(photo, 0.5)), "the start stays as it is"
        assert len(found.frames) == -(-len(found.losses) // 2)
        assert torch.equal(found.frames[0], start)

    def test_the_best_picture_is_kept_not_the_last(self):
        start = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        found = explain.rebuild(lambda x: (x - 0.5).abs().sqrt().sum(), start, steps=9)
        assert float((found.picture - 0.5).abs().sqrt().sum()) == pytest.approx(min(found.losses))


def test_shuffling_keeps_the_pixels_and_their_colours():
    picture = torch.arange(24.0).view(1, 3, 2, 4)
    other = explain.shuffled(picture)
    assert not torch.equal(other, picture)
    pixels, moved = ({tuple(row) for row in x.flatten(2)[0].T.tolist()} for x in (picture, other))
    assert pixels == moved
    assert torch.equal(other, explain.shuffled(picture))
    assert not torch.equal(other, explain.shuffled(picture, seed=1))


def test_zone_shares_of_an_even_map_are_those_of_the_areas():
    shares = explain.zone_shares(torch.ones(20, 30), top=5, left=10, side=8)
    assert shares == pytest.approx([16 / 600, (144 - 16) / 600, (600 - 144) / 600])


def test_equal_changes_are_equal_in_pixels():
    picture = sample("castle", 64)
    middle, moved, noisy = explain.equal_changes(picture, pixels=2)
    assert torch.equal(moved[..., 2:], middle[..., :-2]), "moved to the right"
    squares = [float((other - middle).square().mean()) for other in (moved, noisy)]
    assert squares[0] == pytest.approx(squares[1], rel=1e-4)


def test_shares_of_others_by_hand():
    """A loss of ½ · 2² beside ½ · 4² and ½ · 8², whose mean is 20."""
    originals = {
        name: {"layer": torch.tensor([[x]])} for name, x in (("a", 0.0), ("b", 4.0), ("c", 8.0))
    }
    changed = {name: {"layer": value["layer"] + 2} for name, value in originals.items()}
    shares = explain.shares_of_others(originals, changed)
    assert shares["layer"] == pytest.approx([2 / 20, 2 / 8, 2 / 20])


def test_crops_are_as_detailed_as_their_pictures():
    """Each within 2 %, none used twice; a constant picture has no detail."""
    pictures = sample("cat", 96)[..., :64, :96].unfold(2, 32, 32).unfold(3, 32, 32)
    pictures = pictures.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)
    crops = explain.equally_detailed(pictures, ["castle"])
    assert crops.shape == pictures.shape
    assert_close(explain.detail(crops), explain.detail(pictures), rtol=0.02, atol=0)
    assert len(torch.unique(crops, dim=0)) == len(pictures)
    assert explain.detail(torch.full((1, 3, 8, 8), 0.5)).item() == pytest.approx(0, abs=1e-6)


def test_one_kernel_misses_nothing_of_a_convolution_and_something_behind_a_relu(random_net):
    """conv1_1 is a single convolution; conv2_1 has two ReLUs and a pooling below it."""
    learn, test = [sample("cat", 96), sample("langlois-bridge", 96)], sample("castle", 96)
    missed = {
        layer: explain.missed_by_one_kernel(random_net, layer, learn, test)
        for layer in ("conv1_1", "conv2_1")
    }
    assert [len(of_channels) for of_channels in missed.values()] == [64, 128]
    assert missed["conv1_1"].max() < 1e-6
    assert missed["conv2_1"].median() > 0.1


@pytest.mark.parametrize("layer", ["conv1_2", "conv2_2"])
def test_each_position_is_paired_with_what_it_sees(random_net, layer):
    """Changing one pixel changes the features of exactly the patches that hold it."""
    picture = sample("castle", 48)
    changed = picture.clone()
    changed[..., 20, 30] = 1 - changed[..., 20, 30]
    (X, F), (X2, F2) = (
        explain._patches_and_maps(random_net, layer, image) for image in (picture, changed)
    )
    assert len(X) == len(F)
    in_patch, in_features = (X != X2).any(dim=1), ((F - F2).abs() > 1e-3).any(dim=1)
    assert in_features.any()
    assert not (in_features & ~in_patch).any()


def test_pieces_are_the_corners_and_the_middle():
    picture = torch.arange(30.0).view(1, 1, 5, 6).expand(1, 3, 5, 6)
    found = explain.pieces(picture, 3, 2)
    assert [int(piece[0, 0, 0, 0]) for piece in found] == [0, 4, 12, 16, 8]
    assert all(piece.shape == (1, 3, 3, 2) for piece in found)
