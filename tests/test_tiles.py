"""Pictures looked at in tiles: the same losses and gradients as from the whole picture."""

from itertools import pairwise

import pytest
import torch
from torch.nn import functional as nnf

from stlib import VGG, Brush, cost, estimate, sample, style_transfer
from stlib.cost import memory_needed
from stlib.layers import conv_shapes
from stlib.objective import Objective
from stlib.settings import Settings
from stlib.tiles import cut
from stlib.weights import Weights

pytestmark = pytest.mark.usefixtures("one_thread")

ODD = (167, 203)  # pixels; no multiple of a stride
SHALLOW = {"content_layers": ("relu2_2",), "style_layers": ("relu1_1", "relu3_1")}  # small halos
OTHER_LAYERS = {
    "content_layers": ("conv3_2", "pool4"),
    "style_layers": ("conv1_1", "relu1_1", "relu3_3", "relu5_3", "pool5"),
    "style_weights": (1, 0, 2, 3, 4),
}
CASES = [  # tile, padding, depth, pooling, layers
    (64, "zero", 19, "max", {}),
    (100, "replicate", 19, "max", OTHER_LAYERS),
    (96, "replicate", 16, "max", {}),
    (96, "zero", 16, "max", OTHER_LAYERS),
    (64, "replicate", 19, "average", {}),
    (32, "zero", 19, "max", SHALLOW),
]


@pytest.fixture(scope="module")
def narrow(net):
    """narrow(depth, pooling): a VGG of 8 channels, in double precision: no rounding to hide in."""

    def narrow(depth=19, pooling="max"):
        generator = torch.Generator().manual_seed(0)
        convolutions, channels = {}, 3
        for layer, _, _ in conv_shapes(depth):
            filters = torch.randn(8, channels, 3, 3, generator=generator)
            filters *= (2 / (9 * channels)) ** 0.5
            convolutions[layer.name] = filters, 0.1 * torch.randn(8, generator=generator)
            channels = 8
        weights = Weights("narrow", depth, convolutions, net.preprocess)
        return VGG(depth, weights, pooling, normalized=False, device="cpu").double()

    return narrow


def picture(name, size=ODD):
    return nnf.interpolate(sample(name, 256), size=size, mode="bilinear")


def left_half(size=ODD):
    mask = torch.zeros(size)
    mask[:, : size[1] // 2] = 1
    mask[size[0] // 3 :] *= 0.4
    return mask


def losses_and_gradient(net, style, tile, **settings):
    """Of a picture that is neither the content nor the style."""
    generator = torch.Generator().manual_seed(0)
    content = picture("castle").to(net.convolutions["conv1_1"].weight)
    x = content + 0.1 * torch.randn(content.shape, generator=generator).to(content)
    x.requires_grad_()
    total, losses = Objective(net, content, style, Settings(**settings), tile)(x)
    total.backward()
    return losses, x.grad


def assert_equal(net, style, tile, tolerance, **settings):
    """The largest difference of the gradients is a share of the largest gradient."""
    losses, gradient = losses_and_gradient(net, style, None, **settings)
    losses_of_tiles, gradient_of_tiles = losses_and_gradient(net, style, tile, **settings)
    assert losses_of_tiles == pytest.approx(losses, rel=tolerance)
    assert (gradient - gradient_of_tiles).abs().max() <= tolerance * gradient.abs().max()


@pytest.mark.parametrize("padding", ["zero", "replicate"])
def test_tiles_give_the_gradient_of_the_whole_picture(net, padding):
    """For the paper's network and layers, in single precision, to 1e-5."""
    assert_equal(net, picture("cafe-terrace", (150, 170)), 112, 1e-5, padding=padding)


@pytest.mark.parametrize(("tile", "padding", "depth", "pooling", "layers"), CASES)
def test_they_differ_by_rounding_alone(narrow, tile, padding, depth, pooling, layers):
    """In double precision they agree to 1e-10, whichever network, layers and tiles."""
    style = picture("cafe-terrace", (150, 170))
    net = narrow(depth, pooling)
    assert_equal(net, style, tile, 1e-10, padding=padding, tv=1e-3, **layers)


def test_masks_are_cut_at_the_layers_size(narrow):
    """Three brushes, two in regions with soft edges and one everywhere."""
    mask = left_half()
    brushes = [
        Brush(picture("cafe-terrace", (120, 150)), 2.0, mask),
        Brush(picture("church-at-auvers", (90, 100)), 1.0, 1 - mask),
        Brush(picture("cat", (64, 180)), 0.5),
    ]
    assert_equal(narrow(), brushes, 64, 1e-10)


@pytest.mark.parametrize("layer", ["relu1_1", "relu3_1", "relu5_1", "relu5_4", "pool5"])
@pytest.mark.parametrize("size", [(500, 333), (64, 1000)])
def test_cores_divide_the_picture(layer, size):
    """Each pixel belongs to one core, and each cut lies where the layer's positions end."""
    tiles = cut(size, 96, [layer])
    owners = torch.zeros(size)
    for tile in tiles:
        rows, columns = tile.rows, tile.columns
        owners[rows.start : rows.stop, columns.start : columns.stop] += 1
        assert max(rows.stop - rows.start, columns.stop - columns.start) <= 96
    assert (owners == 1).all()
    stride = 2 ** {"relu1_1": 0, "relu3_1": 2, "pool5": 5}.get(layer, 4)
    spans = dict.fromkeys(tile.columns for tile in tiles)
    assert len(spans) > 1
    for before, after in pairwise(spans):
        assert before.stop == after.start
        assert after.start % stride == after.first % stride == 0


@pytest.mark.parametrize(("layer", "halo"), [("relu1_1", 1), ("relu5_1", 80), ("relu5_4", 128)])
def test_the_halo_is_what_a_position_sees(layer, halo):
    """From the layer table: 1, 70 and 118 pixels on each side, in whole strides."""
    first, second, *_ = dict.fromkeys(tile.rows for tile in cut((640, 64), 160, ["relu1_1", layer]))
    assert first.last - first.stop == halo
    assert second.start - second.first == halo


def test_a_tile_larger_than_the_picture_changes_nothing(net):
    """Not even the rounding: it is the whole picture."""
    style = picture("cafe-terrace", (150, 170))
    whole, tiled = (losses_and_gradient(net, style, tile) for tile in (None, 256))
    assert whole[0] == tiled[0]
    assert torch.equal(whole[1], tiled[1])


def test_the_targets_are_those_of_the_whole_pictures(narrow):
    """P, and A/M of a style picture that is larger than a tile."""
    net, content, style = narrow(), picture("castle"), picture("cafe-terrace", (210, 190))
    whole, tiled = (Objective(net, content, style, tile=tile) for tile in (None, 64))
    torch.testing.assert_close(tiled.P, whole.P)
    torch.testing.assert_close(tiled.targets, whole.targets)
    assert tiled.beta == whole.beta


def test_little_memory_is_a_reason_for_tiles(net, monkeypatch):
    """Where the whole picture does not fit, its tiles paint the same picture."""
    content, style = sample("castle", 160), sample("cafe-terrace", 96)
    options = {"net": net, "solver": "plain", "steps": 4, "progress": False, **SHALLOW}
    expected = style_transfer(content, style, **options).image
    seen, build = [], Objective.__init__
    monkeypatch.setattr(Objective, "__init__", lambda *args: seen.append(args[-1]) or build(*args))
    monkeypatch.setattr(cost, "TILES", (64,))
    needed = memory_needed(*content.shape[2:], **SHALLOW, pairs=4)
    monkeypatch.setattr(cost, "free_memory", lambda: needed - 1)
    assert (style_transfer(content, style, **options).image - expected).abs().max() < 1e-3
    monkeypatch.setattr(cost, "free_memory", lambda: needed)
    assert torch.equal(style_transfer(content, style, **options).image, expected)
    assert seen == [64, None]


def test_tiles_can_be_asked_for(net, content, style):
    """Also in a run that begins with smaller pictures, some of them smaller than a tile."""
    content = sample("castle", 256)
    options = {"net": net, "steps": 3, "progress": False, **SHALLOW}
    whole, tiled = (style_transfer(content, style, tile=tile, **options) for tile in (None, 96))
    assert (whole.image - tiled.image).abs().max() < 1e-2
    assert [losses["total"] for losses in tiled.coarse + tiled.history] == pytest.approx(
        [losses["total"] for losses in whole.coarse + whole.history], rel=1e-3
    )


def test_an_estimate_refuses_the_tiles_that_style_transfer_refuses(content, style):
    """A core is not smaller than the smallest picture."""
    for ask in (style_transfer, estimate):
        with pytest.raises(ValueError, match="tile is 31: give a whole number, 32 or more"):
            ask(content, style, tile=31)


def test_a_run_goes_on_in_tiles(net, tmp_path, monkeypatch):
    """Its checkpoint does not ask in which."""
    monkeypatch.setattr("stlib.checkpoint.EVERY", 2)
    content, style, path = sample("castle", 160), sample("cafe-terrace", 96), tmp_path / "run"
    options = {"net": net, "solver": "plain", "steps": 8, "progress": False, **SHALLOW}
    expected = style_transfer(content, style, **options).image

    def stop(evaluation, *_):
        if evaluation == 5:
            raise KeyboardInterrupt

    style_transfer(content, style, checkpoint=path, callback=stop, **options)
    assert path.exists()
    result = style_transfer(content, style, checkpoint=path, tile=64, **options)
    assert len(result.history) == 8
    assert (result.image - expected).abs().max() < 1e-2
