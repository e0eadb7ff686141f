"""Laws that hold for all inputs, tried on many: losses, Gram matrices, files, the layer table."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.testing import assert_close

from stlib.brushes import Brush, brush_factors
from stlib.errors import ImageError
from stlib.images import load_image, save_image, to_pil
from stlib.layers import BLOCKS, conv_shapes, find_layer, layer_names, layer_table
from stlib.losses import (
    content_loss,
    flatten_positions,
    gram_matrix,
    style_layer_loss,
    style_layer_losses,
    style_loss,
    style_target,
    total_loss,
    total_variation,
)

SEEDS = st.integers(0, 2**32 - 1)
FACTORS = st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3)


def for_all(*inputs):
    """Try a test on 40 examples, the same ones each time."""
    return lambda test: settings(deadline=None, max_examples=40, derandomize=True, database=None)(
        given(*inputs)(test)
    )


def random(shape, seed, scale=1.0):
    return scale * torch.randn(
        shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


@st.composite
def feature_maps(draw, number=1):
    """Features of one layer, float64, [1, N, H, W], of any size and scale, with or without ReLU."""
    channels, maps = draw(st.integers(1, 8)), []
    for _ in range(number):
        x = random(
            (1, channels, draw(st.integers(1, 7)), draw(st.integers(1, 7))),
            draw(SEEDS),
            draw(st.floats(1e-3, 1e3)),
        )
        maps.append(x.relu() if draw(st.booleans()) else x)
    return maps if number > 1 else maps[0]


@st.composite
def pairs_of_one_size(draw):
    x = draw(feature_maps())
    return x, random(x.shape, draw(SEEDS), draw(st.floats(1e-3, 1e3)))


def E(x, a):
    return style_layer_loss(x, style_target(a))


def gradient(loss, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(loss(x), x)[0]


# the Gram matrix


@for_all(feature_maps())
def test_a_gram_matrix_is_symmetric_and_positive_semidefinite(x):
    """G = Gᵀ, λ ≥ 0 but for rounding, tr G = Σ F², and G[i, j]² ≤ G[i, i] G[j, j]."""
    G = gram_matrix(x)
    assert_close(G, G.T)
    assert torch.linalg.eigvalsh(G).min() >= -1e-12 * G.abs().max()
    assert_close(G.trace(), x.square().sum())
    assert (G.square() <= torch.outer(G.diag(), G.diag()) * (1 + 1e-12)).all()


@for_all(feature_maps(), FACTORS)
def test_a_gram_matrix_scales_with_the_square(x, c):
    """G(c F) = c² G(F)."""
    assert_close(gram_matrix(c * x), c**2 * gram_matrix(x))


@for_all(feature_maps(), SEEDS)
def test_a_gram_matrix_does_not_know_where(x, seed):
    """Positions in another order give the same matrix, and the same style loss."""
    F = flatten_positions(x)
    shuffled = F[:, torch.randperm(F.shape[1], generator=torch.Generator().manual_seed(seed))]
    assert_close(gram_matrix(shuffled), gram_matrix(F))
    assert_close(E(shuffled, 2 * F), E(F, 2 * F))


@for_all(feature_maps(number=2), SEEDS)
def test_channels_in_another_order_permute_the_gram_matrix(maps, seed):
    """G(P F) = P G(F) Pᵀ; the style loss does not mind when both pictures are permuted."""
    x, a = maps
    order = torch.randperm(x.shape[1], generator=torch.Generator().manual_seed(seed))
    assert_close(gram_matrix(x[:, order]), gram_matrix(x)[order][:, order])
    assert_close(E(x[:, order], a[:, order]), E(x, a))


@for_all(pairs_of_one_size())
def test_gram_matrices_of_pictures_side_by_side_add_up(maps):
    """G([F F′]) = G(F) + G(F′)."""
    x, y = maps
    assert_close(gram_matrix(torch.cat([x, y], dim=3)), gram_matrix(x) + gram_matrix(y))


@for_all(feature_maps(), SEEDS)
def test_a_mask_of_zeros_and_ones_is_a_choice_of_positions(x, seed):
    """The guided Gram matrix of a region with sharp edges is that of its positions alone."""
    F = flatten_positions(x)
    mask = (random(F.shape[1:], seed) > 0).double()
    assert_close(gram_matrix(F, mask), gram_matrix(F[:, mask.bool()]))
    assume(mask.any())
    assert_close(style_layer_loss(F, style_target(3 * F), mask), E(F[:, mask.bool()], 3 * F))


# losses


@for_all(pairs_of_one_size())
def test_losses_are_zero_at_their_target_and_nowhere_negative(maps):
    """The content loss is zero there only; it is the same from either side."""
    x, p = maps
    assert content_loss(x, p) >= 0
    assert E(x, p) >= 0
    assert total_variation(x) >= 0
    assert content_loss(x, x) == E(x, x) == 0
    assert content_loss(x, p) == content_loss(p, x)
    assert (content_loss(x, p) == 0) == torch.equal(x, p)


@for_all(pairs_of_one_size(), FACTORS)
def test_how_losses_grow_with_the_features(maps, c):
    """L_content with c², E_l with c⁴, the total variation with |c|."""
    x, p = maps
    assert_close(content_loss(c * x, c * p), c**2 * content_loss(x, p))
    assert_close(E(c * x, c * p), c**4 * E(x, p))
    assert_close(total_variation(c * x), abs(c) * total_variation(x))


@for_all(pairs_of_one_size())
def test_content_gradient_has_no_mask(maps):
    """∂L_content/∂F = F − P, also where F < 0 (eq. 2, whose other case is the ReLU's)."""
    x, p = maps
    assert_close(gradient(lambda F: content_loss(F, p), x), x - p)


@for_all(feature_maps(number=2))
def test_style_gradient_has_no_mask(maps):
    """∂E_l/∂F = (G/M − A/M_a) F / (N² M), also where F < 0 (eq. 6, there for equal sizes)."""
    x, a = maps
    F = flatten_positions(x)
    N, M = F.shape
    expected = (style_target(x) - style_target(a)) @ F / (N**2 * M)
    assert_close(
        flatten_positions(gradient(lambda x: E(x, a), x)),
        expected,
        rtol=1e-6,
        atol=1e-12 * float(expected.abs().max()),
    )


@for_all(
    feature_maps(number=2),
    st.lists(st.floats(0, 10), min_size=1, max_size=5),
    st.floats(0, 1e6),
    st.floats(0, 1e6),
)
def test_style_and_total_loss_are_weighted_sums(maps, weights, alpha, beta):
    """eqs. 5 and 7, for any number of layers."""
    x, a = maps
    layers = {f"layer {number}": weight for number, weight in enumerate(weights)}
    losses = style_layer_losses(dict.fromkeys(layers, x), dict.fromkeys(layers, style_target(a)))
    style = style_loss(losses, layers)
    assert_close(style, sum(weights) * E(x, a))
    assert_close(
        total_loss(content_loss(x, 2 * x), style, alpha, beta),
        alpha * x.square().sum() / 2 + beta * style,
    )


@for_all(pairs_of_one_size(), st.floats(-10, 10))
def test_the_total_variation_is_a_seminorm_of_a_picture(maps, shift):
    """TV(x + y) ≤ TV(x) + TV(y); it sees no change of all values, no mirror and no turn."""
    x, y = maps
    tv = total_variation(x)
    assert total_variation(x + y) <= (tv + total_variation(y)) * (1 + 1e-9)
    for other in (x + shift, -x, x.flip(2), x.flip(3), x.mT):
        assert_close(total_variation(other), tv, rtol=1e-7, atol=1e-9)


@for_all(st.lists(st.tuples(st.floats(1e-6, 1e6), SEEDS), min_size=1, max_size=5))
def test_the_factors_of_brushes_add_up_to_what_is_painted(brushes):
    """Each is positive, and their sum is the mean of min(1, Σ T), whatever the weights."""
    masks = [torch.rand(5, 7, generator=torch.Generator().manual_seed(seed)) for _, seed in brushes]
    found = brush_factors(
        [
            Brush(torch.zeros(1, 3, 5, 7), weight, mask)
            for (weight, _), mask in zip(brushes, masks, strict=True)
        ]
    )
    assert min(found) > 0
    assert sum(found) == pytest.approx(float(sum(masks).clamp(max=1).mean()), rel=1e-5)


# pictures


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pictures")


SIDES = st.integers(32, 90)


@for_all(
    SIDES,
    SIDES,
    SEEDS,
    st.sampled_from([".png", ".bmp", ".tif", ".ppm", ".tga"]),
    st.floats(0.1, 1.5),
)
def test_what_is_saved_without_loss_is_read_as_it_was_to_1_in_255(
    folder, height, width, seed, suffix, spread
):
    """Clamped to 0…1 and rounded, in the same place; what is read is saved as it is."""
    image = (0.5 + random((1, 3, height, width), seed, spread)).float()
    read = load_image(save_image(image, folder / f"picture{suffix}"))
    assert torch.equal(read, (image.clamp(0, 1) * 255).round() / 255)
    assert torch.equal(load_image(save_image(read, folder / f"again{suffix}")), read)
    assert torch.equal(load_image(to_pil(image)), read)


@for_all(st.integers(32, 400), st.integers(32, 400), st.integers(32, 300), st.booleans())
def test_the_longer_side_is_the_size_and_the_shape_stays(width, height, size, enlarge):
    """W : H to half a pixel; what is small enough stays, unless it shall be enlarged."""
    longer, shorter = max(width, height), min(width, height)
    resized = longer > size or enlarge
    if resized and round(shorter * size / longer) < 32:
        with pytest.raises(ImageError, match="pixels on its shorter side: ask for size="):
            load_image(Image.new("RGB", (width, height)), size, enlarge=enlarge)
        return
    expected = (
        (round(height * size / longer), round(width * size / longer))
        if resized
        else (height, width)
    )
    assert (
        load_image(Image.new("RGB", (width, height)), size, enlarge=enlarge).shape[2:] == expected
    )
    assert not resized or max(expected) == size


@for_all(SIDES, SIDES, SEEDS)
def test_a_picture_turned_four_times_is_the_picture(height, width, seed):
    """EXIF orientation 6 turns by a quarter to the right."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    image, quarter = Image.fromarray(pixels), load_image(Image.fromarray(pixels))
    for _ in range(4):
        image.getexif()[0x112] = 6
        quarter = quarter.rot90(-1, dims=(2, 3))
        turned = load_image(image)
        assert torch.equal(turned, quarter)
        image = to_pil(turned)
    assert image.tobytes() == pixels.tobytes()


# the layer table

DEPTHS = st.sampled_from([16, 19])
HEIGHTS = st.integers(32, 4000)


@for_all(DEPTHS, HEIGHTS, HEIGHTS)
def test_what_a_layer_costs_follows_from_its_shape(depth, height, width):
    """9 N N′ weights and N′ biases, each weight used at every position; 4 bytes for each number."""
    table = layer_table(depth, (height, width))
    filters = {layer.name: channels for layer, *channels in conv_shapes(depth)}
    assert tuple(row.name for row in table) == layer_names(depth)
    for row in table:
        N, H, W = row.shape
        assert row.activation_bytes == 4 * N * H * W
        if row.name in filters:
            below, above = filters[row.name]
            assert above == N
            assert row.parameters == 9 * below * N + N
            assert row.macs == 9 * below * N * H * W
        else:
            assert row.parameters == row.macs == 0


@for_all(DEPTHS, HEIGHTS, HEIGHTS)
def test_a_layers_shape_and_view_follow_from_the_layer_below(depth, height, width):
    """Pools halve and double the stride; convolutions see 2 strides more, pools 1, ReLUs none."""
    table = layer_table(depth, (height, width))
    assert (table[0].shape, table[0].receptive_field, table[0].stride) == (
        (64, height, width),
        3,
        1,
    )
    for below, row in pairwise(table):
        N, H, W = below.shape
        kind = find_layer(row.name, depth).kind
        assert row.shape[1:] == ((H // 2, W // 2) if kind == "pool" else (H, W))
        assert row.shape[0] == N or kind == "conv"
        assert row.stride == (2 if kind == "pool" else 1) * below.stride
        assert (
            row.receptive_field
            == below.receptive_field + {"conv": 2, "pool": 1, "relu": 0}[kind] * below.stride
        )


@for_all(DEPTHS, HEIGHTS, HEIGHTS)
def test_a_picture_on_its_side_costs_the_same(depth, height, width):
    for upright, lying in zip(
        layer_table(depth, (height, width)), layer_table(depth, (width, height)), strict=True
    ):
        N, H, W = upright.shape
        assert lying == replace(upright, shape=(N, W, H))


@for_all(DEPTHS, st.integers(1, 60), st.integers(1, 60), st.integers(2, 5))
def test_work_and_memory_grow_with_the_pixels_and_parameters_do_not(depth, height, width, factor):
    """Exactly, where every pool divides the sides."""
    small, large = (layer_table(depth, (32 * k * height, 32 * k * width)) for k in (1, factor))
    for one, other in zip(small, large, strict=True):
        assert (other.macs, other.activation_bytes) == (
            factor**2 * one.macs,
            factor**2 * one.activation_bytes,
        )
        assert (other.parameters, other.receptive_field, other.stride) == (
            one.parameters,
            one.receptive_field,
            one.stride,
        )
    assert sum(BLOCKS[depth]) == sum(row.parameters > 0 for row in small)


@for_all(st.sampled_from([16, 19]), st.integers(-5, 31), HEIGHTS, st.booleans())
def test_a_side_under_32_pixels_has_no_table(depth, short, long, upright):
    with pytest.raises(ValueError, match="too small for pool5: each side needs at least 32"):
        layer_table(depth, (long, short) if upright else (short, long))
