"""The mathematics by example: every formula, what it means, and how others write it.

The laws that hold for all inputs are in `test_properties.py`.
"""

import pytest
import torch
import torch.nn.functional as nnf
from torch.testing import assert_close

from stlib.layers import WIDTHS
from stlib.losses import (
    content_loss,
    flatten_positions,
    gram_matrix,
    overflow,
    roughness,
    style_layer_loss,
    style_layer_losses,
    style_loss,
    style_target,
    total_loss,
    total_variation,
)

N, HEIGHT, WIDTH = 6, 4, 5
M = HEIGHT * WIDTH


@pytest.fixture
def random(generator):
    """Features of both signs, float64."""
    return lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)


@pytest.fixture
def x(random):
    """Feature maps of the generated picture, [1, N, H, W]."""
    return random(1, N, HEIGHT, WIDTH)


@pytest.fixture
def p(random):
    """Feature maps of another picture of the same size."""
    return random(1, N, HEIGHT, WIDTH) + 0.5


def E(x, a):
    return style_layer_loss(x, style_target(a))


def gradient(loss, features):
    features = features.clone().requires_grad_()
    return torch.autograd.grad(loss(features), features)[0]


# Definitions


@pytest.mark.parametrize("shape", [(1, N, HEIGHT, WIDTH), (N, HEIGHT, WIDTH), (N, M)])
def test_flatten_positions_makes_a_row_of_each_channel(x, shape):
    """F[i, W·r + c] = x[i, r, c], whichever of the three shapes it comes in."""
    F = flatten_positions(x.reshape(shape))
    assert F.shape == (N, M)
    assert F[2, WIDTH * 3 + 1] == x[0, 2, 3, 1]


def test_gram_matrix_is_the_sum_over_positions(x):
    """eq. 3: G[i, j] = Σ_k F[i, k] F[j, k]."""
    F = flatten_positions(x)
    slow = torch.stack([torch.stack([(F[i] * F[j]).sum() for j in range(N)]) for i in range(N)])
    assert_close(gram_matrix(x), slow)


def test_gram_matrix_by_hand():
    """[[1, 2], [3, 4]] gives [[5, 11], [11, 25]]."""
    assert gram_matrix(torch.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist() == [[5, 11], [11, 25]]


def test_style_target_is_gram_over_positions(x):
    """A/M."""
    assert_close(style_target(x), gram_matrix(x) / M)


def test_content_loss_is_the_papers(x, p):
    """eq. 1: ½ Σ (F − P)²; ½ (1 + 4) by hand."""
    assert_close(
        content_loss(x, p),
        0.5 * sum((a - b) ** 2 for a, b in zip(x.flatten(), p.flatten(), strict=True)),
    )
    assert content_loss(torch.tensor([[1.0, 2.0]]), torch.tensor([[2.0, 0.0]])) == 2.5


def test_style_layer_loss_is_the_papers_for_equal_sizes(x, p):
    """eq. 4: E_l = 1/(4 N² M²) Σ (G − A)²."""
    assert_close(E(x, p), ((gram_matrix(x) - gram_matrix(p)) ** 2).sum() / (4 * N**2 * M**2))


def test_pictures_of_different_size_use_their_own_positions(x, random):
    """E_l = 1/(4 N²) Σ (G/M − A/M_a)²."""
    a = random(1, N, 7, 3)
    assert_close(E(x, a), ((gram_matrix(x) / M - gram_matrix(a) / 21) ** 2).sum() / (4 * N**2))


def test_style_loss_weighs_layers_equally_by_default(x, p):
    """eq. 5: L_style = Σ w_l E_l with w_l = 1/5."""
    features = {f"relu{i}_1": i * x for i in range(1, 6)}
    losses = style_layer_losses(features, dict.fromkeys(features, style_target(p)))
    assert_close(style_loss(losses), sum(E(i * x, p) for i in range(1, 6)) / 5)


def test_total_loss_is_the_papers():
    """eq. 7: α L_content + β L_style."""
    assert total_loss(torch.tensor(3.0), torch.tensor(5.0), alpha=2, beta=100) == 506


def test_roughness_is_a_mean_of_squared_steps():
    """1 + 9 down 2, 6 … by hand; a picture twice as large, tiled, is as rough but for the seam."""
    assert roughness(torch.tensor([[0.0, 1.0], [3.0, 7.0]])) == (1 + 16 + 9 + 36) / 4
    assert roughness(torch.full((1, 3, 5, 7), 0.4)) == 0
    ramp = torch.arange(64.0).expand(1, 3, 64, 64) / 64
    assert_close(roughness(ramp), torch.tensor(63 / 64 / 64**2))


def test_overflow_is_what_cannot_be_shown():
    """Nothing within 0…1, and the square of the distance outside of it."""
    assert overflow(torch.tensor([0.0, 0.3, 1.0])) == 0
    assert_close(overflow(torch.tensor([-0.5, 0.3, 1.2, 1.0])), torch.tensor((0.25 + 0.04) / 4))


def test_total_variation_adds_up_the_steps():
    """Σ |down| + Σ |right|: [[0, 1], [3, 7]] gives (3 + 6) + (1 + 4); a bump of h costs 4 h."""
    assert total_variation(torch.tensor([[0.0, 1.0], [3.0, 7.0]])) == 14
    bump = torch.zeros(1, 3, 5, 5)
    bump[0, 1, 2, 2] = 0.5
    assert total_variation(bump) == 2


# Gradients


def test_the_papers_mask_is_the_relus(x, p):
    """eqs. 2 and 6: 0 where the pre-activation z < 0, the gradient by F = relu(z) elsewhere."""
    for loss in (lambda F: content_loss(F, p), lambda F: E(F, p)):
        assert_close(
            gradient(lambda z, loss=loss: loss(z.relu()), x), gradient(loss, x.relu()) * (x > 0)
        )


def test_gram_gradients_agree_with_finite_differences(random):
    """dG for an upstream S that is not symmetric: (S + Sᵀ) F; and second derivatives."""
    F = random(1, 3, 2, 2).requires_grad_()
    assert torch.autograd.gradcheck(gram_matrix, F)
    assert torch.autograd.gradgradcheck(gram_matrix, F)


def test_gram_gradient_keeps_the_memory_layout(random):
    """Channels-last features get such a gradient: the convolution below need not copy it."""
    F = random(1, N, HEIGHT, WIDTH).to(memory_format=torch.channels_last)
    assert gradient(lambda F: gram_matrix(F).sum(), F).is_contiguous(
        memory_format=torch.channels_last
    )


# Properties


@pytest.mark.parametrize(("channels", "positions"), [(12, 5), (5, 12), (64, 32)])
def test_gram_has_at_most_the_rank_of_the_smaller_side(random, channels, positions):
    """rank G ≤ min(N, M), reached by random features; relu5_1 at 256 × 256 is singular."""
    assert torch.linalg.matrix_rank(
        gram_matrix(random(channels, positions)), hermitian=True
    ) == min(channels, positions)


def test_gram_is_blind_to_every_orthogonal_mixing_of_positions(x, random):
    """G(F Q) = G(F)."""
    F = flatten_positions(x)
    Q = torch.linalg.qr(random(M, M)).Q
    assert not torch.allclose(F @ Q, F)
    assert_close(gram_matrix(F @ Q), gram_matrix(F))


def test_gram_is_covariance_and_mean(p):
    """G/M = C + μ μᵀ, C the biased covariance."""
    F = flatten_positions(p)
    mean = F.mean(dim=1)
    assert_close(style_target(p), torch.cov(F, correction=0) + torch.outer(mean, mean))


def test_tiling_doubles_the_gram_but_not_the_target(x):
    """G([F F]) = 2 G(F), and G/M stays."""
    tiled = torch.cat([x, x], dim=3)
    assert_close(gram_matrix(tiled), 2 * gram_matrix(x))
    assert_close(style_target(tiled), style_target(x))


def test_style_loss_compares_distributions(x, random):
    """E_l = MMD²/(4 N²), biased, with k(x, y) = (xᵀy)² over the columns (Li et al. 2017)."""
    a = random(1, N, 7, 3)
    X, Y = flatten_positions(x), flatten_positions(a)
    mmd2 = ((X.T @ X) ** 2).mean() + ((Y.T @ Y) ** 2).mean() - 2 * ((X.T @ Y) ** 2).mean()
    assert_close(E(x, a), mmd2 / (4 * N**2))


@pytest.mark.parametrize(
    ("padding", "shift", "agree"),
    [("circular", 2, True), ("circular", 1, False), ("constant", 2, False)],
)
def test_zero_padding_lets_position_into_the_gram(random, padding, shift, agree):
    """A shift by the stride leaves G with circular padding; zeros tell border from middle."""
    image, filters = random(1, 3, 8, 8), (random(4, 3, 3, 3), random(5, 4, 3, 3))

    def gram(x):
        for weight in filters:
            x = nnf.max_pool2d(x, 2) if weight is filters[1] else x
            x = nnf.conv2d(nnf.pad(x, (1, 1, 1, 1), mode=padding), weight).relu()
        return gram_matrix(x)

    assert torch.allclose(gram(image.roll((shift, shift), dims=(2, 3))), gram(image)) == agree


# Conversions: the others' own formulas, written as they write them

SIDE = 4  # of the Keras row: a layer that has seen two poolings


def keras_gram(x):
    return torch.tensordot(x[0].flatten(1), x[0].flatten(1), dims=([1], [1]))


def tensorflow_gram(x):
    return torch.einsum("bijc,bijd->bcd", x.permute(0, 2, 3, 1), x.permute(0, 2, 3, 1)) / (
        x.shape[2] * x.shape[3]
    )


def d2l_gram(x):
    X = x.reshape(x.shape[1], -1)
    return X @ X.T / (x.shape[1] * X.shape[1])


LAYER_LOSSES = {
    "the paper": (
        lambda x, a: ((gram_matrix(x) - gram_matrix(a)) ** 2).sum() / (4 * N**2 * M**2),
        1,
    ),
    "Gatys' notebook": (
        lambda x, a: nnf.mse_loss(
            torch.bmm(x.flatten(2), x.flatten(2).mT) / (HEIGHT * WIDTH),
            torch.bmm(a.flatten(2), a.flatten(2).mT) / (HEIGHT * WIDTH),
        ),
        4,
    ),
    "TensorFlow tutorial": (
        lambda x, a: ((tensorflow_gram(x) - tensorflow_gram(a)) ** 2).mean(),
        4,
    ),
    "PyTorch tutorial": (
        lambda x, a: nnf.mse_loss(
            x.view(N, M) @ x.view(N, M).t() / x.numel(), a.view(N, M) @ a.view(N, M).t() / a.numel()
        ),
        4 / N**2,
    ),
    "neural-style": (
        lambda x, a: nnf.mse_loss(
            x.view(N, -1).mm(x.view(N, -1).t()).div(x.nelement()),
            a.view(N, -1).mm(a.view(N, -1).t()).div(a.nelement()),
        ),
        4 / N**2,
    ),
    "d2l.ai": (lambda x, a: (d2l_gram(x) - d2l_gram(a)).square().mean(), 4 / N**2),
    "Keras": (
        lambda x, a: (
            (keras_gram(a) - keras_gram(x)).square().sum() / (4.0 * 3**2 * (SIDE**2 * M) ** 2)
        ),
        (N / 3) ** 2 * (M / (SIDE**2 * M)) ** 2,
    ),
}


@pytest.mark.parametrize("name", LAYER_LOSSES)
def test_layer_loss_of_others_is_a_multiple_of_ours(name, x, p):
    """Their layer loss = factor · E_l, equal M."""
    theirs, factor = LAYER_LOSSES[name]
    assert_close(theirs(x, p), factor * E(x, p))


CONTENT_LOSSES = {
    "Gatys' notebook, PyTorch, neural-style": (nnf.mse_loss, 2 / (N * M)),
    "TensorFlow, d2l.ai": (lambda x, p: (x - p).square().mean(), 2 / (N * M)),
    "Keras": (lambda x, p: (x - p).square().sum(), 2),
}


@pytest.mark.parametrize("name", CONTENT_LOSSES)
def test_content_loss_of_others_is_a_multiple_of_ours(name, x, p):
    """A mean of squares is 2 L_content/(N M), Keras' sum 2 L_content."""
    theirs, factor = CONTENT_LOSSES[name]
    assert_close(theirs(x, p), factor * content_loss(x, p))


def test_gatys_notebook_weighs_shallow_layers_more(random):
    """Σ 1000/N² · mean((G/M − A/M)²) = L_style with w_l = 4000/N²: 64 : 16 : 4 : 1 : 1."""
    features = {n: random(n, 3) for n in WIDTHS}
    targets = {n: style_target(random(n, 3)) for n in WIDTHS}
    theirs = sum(1e3 / n**2 * nnf.mse_loss(style_target(features[n]), targets[n]) for n in features)
    w = {n: 4e3 / n**2 for n in features}
    assert_close(style_loss(style_layer_losses(features, targets), w), theirs)
    assert [w[n] / w[512] for n in WIDTHS] == [64, 16, 4, 1, 1]


def test_keras_weighs_shallow_layers_1024_times_more(net):
    """(N/3)² (M/(H·W))² at relu1_1 … relu5_1, for sides divisible by 16."""
    height, width = 32, 48
    layers = [f"relu{block}_1" for block in range(1, 6)]
    shapes = [
        flatten_positions(f).shape
        for f in net.features(torch.zeros(1, 3, height, width), layers).values()
    ]
    factors = [(n / 3) ** 2 * (m / (height * width)) ** 2 for n, m in shapes]
    assert factors == pytest.approx([455, 114, 28.4, 7.11, 0.444], rel=2e-3)
    assert factors[0] / factors[-1] == pytest.approx(1024)


# Errors


@pytest.mark.parametrize("function", [flatten_positions, gram_matrix, style_target])
def test_a_batch_of_two_is_refused(function):
    """Positions of two pictures must not be mixed."""
    with pytest.raises(
        ValueError, match=r"features of 2 pictures \[2, 6, 4, 5\]: give one picture at a time"
    ):
        function(torch.zeros(2, 6, 4, 5))


@pytest.mark.parametrize("shape", [(6,), (1, 1, 6, 4, 5)])
def test_features_of_another_form_are_refused(shape):
    with pytest.raises(ValueError, match=r"\[1, N, H, W\], \[N, H, W\] or \[N, M\], these have"):
        gram_matrix(torch.zeros(shape))


def test_content_loss_refuses_to_broadcast(x):
    """[1, N, 1, 1] would fit by broadcasting."""
    with pytest.raises(ValueError, match="must have the size of the content picture"):
        content_loss(x, x[..., :1, :1])


@pytest.mark.parametrize(
    "target", [torch.zeros(1, N), torch.zeros(N + 1, N + 1), torch.zeros(1, N, HEIGHT, WIDTH)]
)
def test_style_layer_loss_refuses_another_layers_target(x, target):
    """[1, N] would fit by broadcasting."""
    with pytest.raises(
        ValueError,
        match=r"these features need \[6, 6\]: is it from another layer, or not yet a style_target",
    ):
        style_layer_loss(x, target)


def test_a_target_without_features_is_named(x):
    with pytest.raises(ValueError, match="'relu1_1' lacks its features"):
        style_layer_losses({"relu2_1": x}, {"relu1_1": style_target(x)})


@pytest.mark.parametrize("w", [{"relu2_1": 1}, {"relu1_1": 1, "relu2_1": 1}, {}])
def test_losses_and_weights_are_of_the_same_layers(w):
    with pytest.raises(ValueError, match=r"losses are of \['relu1_1'\].*name the same layers"):
        style_loss({"relu1_1": torch.tensor(1.0)}, w)


def test_a_style_loss_needs_a_layer():
    with pytest.raises(ValueError, match="no style layer: give the loss of at least one"):
        style_loss({})
