"""Several styles in one picture: guided Gram matrices, what each brush counts, what is refused."""

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from stlib import (
    Brush,
    ImageError,
    gram_matrix,
    sample,
    save_image,
    style_layer_loss,
    style_target,
    style_transfer,
    to_pil,
)
from stlib.brushes import (
    as_brushes,
    brush_factors,
    check_style,
    coverage,
    load_mask,
    mask_at,
    shrink_pictures,
)
from stlib.objective import Objective
from stlib.settings import Settings
from stlib.solver import SMALLEST_SIDE

SHALLOW = {
    "content_layers": ("relu2_1",),
    "style_layers": ("relu1_1", "relu2_1"),
}  # quick, where depth does not matter
HEIGHT, WIDTH = 64, 96  # of the content picture


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def other():
    """A second style."""
    return sample("harvest-at-la-crau", 80)


@pytest.fixture
def x(content, generator):
    """A picture on the way: the content with some noise."""
    return (content + 0.1 * torch.randn(content.shape, generator=generator)).requires_grad_()


@pytest.fixture
def paint(net, content, style):
    """style_transfer of the small pictures in four evaluations, unless asked otherwise."""

    def paint(style=style, content=content, **options):
        return style_transfer(
            content, style, **{"net": net, "steps": 4, "progress": False, **options}
        )

    return paint


def left_of(column, height=HEIGHT, width=WIDTH):
    """A mask that is 1 in the columns before this one."""
    return (torch.arange(width) < column).float().expand(height, width).clone()


def features(*shape, seed=0):
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def gradient(objective, x):
    return torch.autograd.grad(objective(x)[0], x)[0]


# guided Gram matrices


@pytest.mark.parametrize("way", ["RGBA", "LA", "P", "I;16"])
def test_what_is_transparent_in_a_mask_is_unpainted(way, content, tmp_path):
    """Strokes on a transparent layer, as image editors have them; white would paint everywhere."""
    height, width = content.shape[2:]
    if way == "I;16":  # a PNG that names one transparent grey
        mask = Image.new("I;16", (width, height), 40000)
        options = {"transparency": 40000}
    else:
        mask, options = Image.new("RGBA", (width, height), (255, 255, 255, 0)), {}
    mask.paste(Image.new(mask.mode, (width // 2, height), "white" if way != "I;16" else 65535))
    mask.convert("RGBA" if way == "P" else way).save(tmp_path / "mask.png", **options)
    T = load_mask(tmp_path / "mask.png", content)
    assert T[..., : width // 2 - 4].min() == 1
    assert T[..., width // 2 + 4 :].max() == 0


def test_the_guided_gram_matrix_is_that_of_the_masked_features():
    """(T∘F)(T∘F)ᵀ, for a mask in each of its forms."""
    F, T = features(1, 5, 4, 6), features(4, 6, seed=1)
    for mask in (T, T[None, None], T.flatten()):
        assert_close(gram_matrix(F, mask), gram_matrix(F * T))


def test_the_loss_of_a_region_is_that_of_its_positions_alone():
    """A sharp mask: E_l with Σ T² positions in place of M."""
    F, A, T = (
        features(1, 5, 4, 6),
        style_target(features(5, 33, seed=1)),
        features(4, 6, seed=2).round(),
    )
    assert 0 < T.sum() < T.numel()
    assert_close(style_layer_loss(F, A, T), style_layer_loss(F[0][:, T == 1], A))


@pytest.mark.parametrize("constant", [1.0, 0.25])
def test_a_constant_mask_changes_no_loss(constant):
    """Its height cancels; 1 gives the very same bits."""
    F, A = features(1, 5, 4, 6), style_target(features(5, 33, seed=1))
    guided, plain = (
        style_layer_loss(F, A, torch.full((4, 6), constant, dtype=F.dtype)),
        style_layer_loss(F, A),
    )
    assert_close(guided, plain)
    assert constant < 1 or torch.equal(guided, plain)


def test_gradients_of_the_guided_gram_matrix():
    """First and second ones, against finite differences; where the mask is 0 there is none."""
    F, T = features(1, 3, 2, 4).requires_grad_(), features(2, 4, seed=1)
    T[0, 1] = 0
    assert torch.autograd.gradcheck(lambda F: gram_matrix(F, T), F)
    assert torch.autograd.gradgradcheck(lambda F: gram_matrix(F, T), F)
    (found,) = torch.autograd.grad(gram_matrix(F, T).square().sum(), F)
    assert not found[0, :, 0, 1].any() and found[0, :, 0, 0].all()


def test_the_gradient_keeps_the_memory_layout():
    F = features(1, 5, 4, 6).contiguous(memory_format=torch.channels_last).requires_grad_()
    (found,) = torch.autograd.grad(gram_matrix(F, features(4, 6, seed=1)).sum(), F)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_a_mask_of_another_size_than_the_features_is_refused():
    with pytest.raises(ValueError, match="one number for each position"):
        gram_matrix(features(1, 5, 4, 6), torch.ones(4, 5))


# masks at a layer


@pytest.mark.parametrize("size", [(4, 6), (64, 96), (1, 1)])
def test_a_position_holds_the_mean_of_its_part_of_the_mask(size):
    mask = features(64, 96).float()
    T = mask_at(mask, torch.zeros(1, 7, *size))
    assert T.shape == (1, 1, *size)
    assert_close(T.mean(), mask.mean())
    assert_close(T[0, 0, 0, 0], mask[: 64 // size[0], : 96 // size[1]].mean())


def test_no_pixel_of_a_mask_is_lost():
    """Where no multiple of the stride fits, pooling drops the last rows; the mask does not."""
    for place in ((0, 0), (66, 100), (30, 41)):
        mask = torch.zeros(67, 101)
        mask[place] = 1
        assert mask_at(mask, torch.zeros(1, 7, 4, 6)).max() > 0


def test_a_mask_takes_the_type_of_the_features_and_none_stays_none():
    assert (
        mask_at(torch.ones(1, 1, 8, 8, dtype=torch.half), features(1, 2, 4, 4)).dtype
        == torch.float64
    )
    assert mask_at(None, features(1, 2, 4, 4)) is None


@pytest.mark.parametrize("size", [(64, 96), (128, 192), (300, 451), (32, 48)])
def test_a_mask_is_read_at_the_contents_size(content, size):
    """From a grey picture of the same shape, larger or smaller; white is 1, and never more."""
    grey = torch.linspace(0, 1, size[1]).expand(1, 3, *size)
    mask = load_mask(to_pil(grey), content)
    assert mask.shape == (1, 1, HEIGHT, WIDTH)
    assert_close(mask[0, 0], torch.linspace(0, 1, WIDTH).expand(HEIGHT, WIDTH), atol=0.03, rtol=0)
    white = load_mask(to_pil(torch.ones(1, 3, *size)), content)
    assert_close(white, torch.ones_like(white), atol=1e-6, rtol=0)
    assert white.max() <= 1


def test_a_mask_of_another_shape_is_refused(content):
    with pytest.raises(ImageError, match="both need the same shape"):
        load_mask(to_pil(torch.ones(1, 3, 64, 64)), content)


def test_a_mask_of_another_shape_is_named(content, tmp_path):
    file = save_image(torch.ones(1, 3, 64, 64), tmp_path / "sky.png")
    with pytest.raises(ImageError, match=r"the mask .*sky\.png is 64 × 64 pixels"):
        load_mask(file, content)


# how much each brush counts

LEFT, RIGHT = left_of(48, 4, 96), 1 - left_of(48, 4, 96)
SHARES = {
    "one": ([(1, None)], [1]),
    "one of any weight": ([(0.2, None)], [1]),
    "a blend": ([(1, None), (1, None)], [1 / 2, 1 / 2]),
    "an uneven blend": ([(1, None), (3, None)], [1 / 4, 3 / 4]),
    "two halves": ([(1, LEFT), (1, RIGHT)], [1 / 2, 1 / 2]),
    "a quarter and the rest": (
        [(1, left_of(24, 4, 96)), (1, 1 - left_of(24, 4, 96))],
        [1 / 4, 3 / 4],
    ),
    "two halves, one twice as strong as the other": ([(2, LEFT), (1, RIGHT)], [2 / 3, 1 / 3]),
    "one half only": ([(1, LEFT)], [1 / 2]),
    "one half only, of any weight": ([(7, LEFT)], [1 / 2]),
    "everywhere at half strength": ([(1, LEFT * 0 + 0.5)], [1 / 2]),
    "a blend said with masks": ([(1, LEFT * 0 + 0.25), (1, LEFT * 0 + 0.75)], [1 / 4, 3 / 4]),
    "two in the same half": ([(1, LEFT), (1, LEFT)], [1 / 4, 1 / 4]),
    "one everywhere, one in a half": ([(1, None), (1, LEFT)], [2 / 3, 1 / 3]),
    "masks of both forms": ([(1, LEFT[None, None]), (1, RIGHT)], [1 / 2, 1 / 2]),
}


@pytest.mark.parametrize(("brushes", "expected"), SHARES.values(), ids=SHARES)
def test_brush_factors(brushes, expected):
    """They sum to the share of the picture that is painted, and divide it by weight times area."""
    picture = torch.zeros(1, 3, 64, 64)
    assert brush_factors(
        [Brush(picture, weight, mask) for weight, mask in brushes]
    ) == pytest.approx(expected)


def test_a_picture_is_one_brush(style):
    (brush,) = as_brushes(style)
    assert (brush.picture is style, brush.weight, brush.mask) == (True, 1.0, None)
    assert as_brushes(brush) == [brush] == as_brushes((brush,))


def test_a_brush_cannot_be_changed(style):
    with pytest.raises(FrozenInstanceError):
        Brush(style).weight = 2.0


# the objective


def test_one_brush_is_the_style_picture(net, content, style, x):
    """The same bits, with a weight or a mask of ones too."""
    total, losses = Objective(net, content, style)(x)
    expected = gradient(Objective(net, content, style), x)
    for brushes in (
        [Brush(style)],
        Brush(style, 3.0),
        [Brush(style, mask=torch.ones(1, 1, HEIGHT, WIDTH))],
    ):
        objective = Objective(net, content, brushes)
        assert objective(x) == (total, losses)
        assert torch.equal(gradient(objective, x), expected)


def test_a_blend_aims_at_the_mean_of_the_targets(net, content, style, other, x):
    """Σ p_i Σ (G − A_i)² = Σ (G − Σ p_i A_i)² + a constant: equal gradients, no loss of 0."""
    blend = Objective(net, content, [Brush(style), Brush(other, 3.0)])
    mean = Objective(net, content, style)
    A, B = blend.targets_of
    mean.targets_of = [{layer: 0.25 * A[layer] + 0.75 * B[layer] for layer in A}]
    assert_close(
        gradient(blend, x),
        gradient(mean, x),
        rtol=1e-3,
        atol=1e-3 * float(gradient(mean, x).abs().max()),
    )
    blended, aimed = blend(x)[1], mean(x)[1]
    for layer in A:
        floor = 0.25 * 0.75 * float((A[layer] - B[layer]).square().sum()) / (4 * len(A[layer]) ** 2)
        assert blended[layer] == pytest.approx(aimed[layer] + floor, rel=1e-4)


def test_the_losses_are_weighted_sums_over_the_brushes(net, content, style, other, x):
    """L_style = Σ_i p_i Σ_l w_l E_l(F, A_i, T_i), written out."""
    mask, w = left_of(32), {"relu1_1": 0.5, "relu2_1": 2.0}
    brushes = [Brush(style, 2.0, mask), Brush(other, 1.0, 1 - mask)]
    total, losses = Objective(
        net, content, brushes, Settings(beta=7.0, style_weights=w, **SHALLOW)
    )(x.detach())
    of_x = net.features(x.detach(), SHALLOW["style_layers"])
    for layer, F in of_x.items():
        E = [
            style_layer_loss(
                F, style_target(net.features(brush.picture, [layer])[layer]), mask_at(brush.mask, F)
            )
            for brush in brushes
        ]
        assert losses[layer] == pytest.approx(
            float(E[0] + E[1]) / 2, rel=1e-4
        )  # p_i: 2 · ⅓ and 1 · ⅔ are alike
    assert losses["style"] == pytest.approx(sum(w[layer] * losses[layer] for layer in w), rel=1e-4)
    assert float(total) == pytest.approx(losses["content"] + 7 * losses["style"], rel=1e-4)


def test_each_half_is_pulled_as_hard_as_if_it_were_a_picture_of_its_own(
    net, content, style, other, x
):
    """By style and content together, with the default β; away from the seam, which is a border."""
    settings = Settings(content_layers=["relu1_1"], style_layers=["relu1_1"])
    mask = left_of(WIDTH // 2)
    brushes = [Brush(style, mask=mask), Brush(other, mask=1 - mask)]
    both = gradient(Objective(net, content, brushes, settings), x)
    for half, alone in ((slice(0, 48), style), (slice(48, 96), other)):
        part = x.detach()[..., half].clone().requires_grad_()
        expected = gradient(Objective(net, content[..., half], alone, settings), part)
        difference = (both[..., half] - expected)[..., 4:-4]
        assert difference.norm() < 0.05 * expected[..., 4:-4].norm()


def test_outside_of_the_mask_no_style_pulls(net, content, style):
    """The content itself has no gradient further from the region than the network sees."""
    objective = Objective(net, content, Brush(style, mask=left_of(48)), Settings(**SHALLOW))
    pull = gradient(objective, content.clone().requires_grad_())
    assert pull[..., :48].abs().max() > 0
    assert not pull[..., 48 + 10 :].any()  # relu2_1 sees 10 pixels


def test_too_small_a_picture_of_any_brush_is_refused(net, content, style):
    with pytest.raises(ValueError, match="too small for relu5_1"):
        Objective(net, content, [Brush(style), Brush(style[..., :8])])


# style_transfer


def test_a_list_of_one_paints_what_the_picture_paints(paint, style):
    """Bit for bit, with either solver."""
    for options in (
        {"solver": "plain"},
        {"solver": "fast", "content": sample("castle", 240), "steps": 2, **SHALLOW},
    ):
        picture = paint(sample("cafe-terrace", 240), **options).image
        assert torch.equal(paint([Brush(sample("cafe-terrace", 240))], **options).image, picture)


def test_each_region_takes_its_own_style(paint):
    """Each half of a texture is as warm, or as cold, as a whole texture of its style alone."""
    grey, mask = sample("cafe-terrace", 64).mean(dim=1, keepdim=True), left_of(48)
    warm, cold = (
        grey * torch.tensor(colour).view(1, 3, 1, 1)
        for colour in ([1.0, 0.5, 0.2], [0.2, 0.5, 1.0])
    )

    def warmth(style):
        image = paint(
            style, init="noise", steps=40, content_layers=(), style_layers=["relu1_1"]
        ).image
        return torch.stack([(half[:, 0] - half[:, 2]).mean() for half in image.chunk(2, dim=3)])

    left, right = warmth([Brush(warm, mask=mask), Brush(cold, mask=1 - mask)])
    assert left > 0.15 > -0.15 > right
    assert_close(left, warmth(warm)[0], atol=0.05, rtol=0)
    assert_close(right, warmth(cold)[1], atol=0.05, rtol=0)


def test_outside_of_every_mask_the_content_stays(paint, content, style):
    """To the bit, where no evaluation's change has reached."""
    image = paint(Brush(style, mask=left_of(24)), steps=3, solver="plain", **SHALLOW).image
    assert (image - content)[..., :24].abs().max() > 0.01
    assert_close(image[..., 80:], content[..., 80:], atol=1e-5, rtol=0)


@pytest.fixture
def paint_fast(net):
    """style_transfer of a picture with a coarse stage, and the pictures that were evaluated."""

    def paint_fast(brushes, **options):
        seen = []
        result = style_transfer(
            sample("castle", 240),
            brushes,
            net=net,
            solver="fast",
            steps=8,
            progress=False,
            **options,
            callback=lambda evaluation, x, losses: seen.append(x),
        )
        assert result.coarse and seen[0].shape[2] < seen[-1].shape[2] == 160
        return result, seen

    return paint_fast


def test_the_loss_of_brushes_falls_with_the_fast_solver(net, paint_fast):
    """Its coarse stages take smaller pictures of the brushes, and the same masks."""
    mask = torch.linspace(0, 1, 240).expand(160, 240)
    brushes = [
        Brush(sample("cafe-terrace", 240), mask=mask),
        Brush(sample("harvest-at-la-crau", 250), mask=1 - mask),
    ]
    result, seen = paint_fast(brushes)
    assert min(losses["total"] for losses in result.history) < result.history[0]["total"]
    objective = Objective(net, sample("castle", 240), brushes, Settings().complete())
    expected = objective(seen[-1])[1]
    assert result.history[-1] == pytest.approx(
        {"seconds": result.history[-1]["seconds"], **expected}, rel=1e-4
    )


def test_the_fast_solver_leaves_the_content_where_nobody_paints(paint_fast):
    """Neither grain nor smaller pictures leave a trace there: two grey levels, on average."""
    brush = Brush(sample("cafe-terrace", 240), mask=left_of(80, 160, 240))
    change = paint_fast(brush, **SHALLOW)[0].image - sample("castle", 240)
    assert (
        change[..., 160:].square().mean().sqrt()
        < 2 / 255
        < 0.02
        < change[..., :80].square().mean().sqrt()
    )


def test_where_a_brush_paints(style):
    """min(1, Σ T) at each pixel of a picture of any size."""
    x = torch.zeros(1, 3, HEIGHT // 2, WIDTH // 2)
    half = coverage([Brush(style, mask=left_of(48))], x)
    assert half.shape == (1, 1, HEIGHT // 2, WIDTH // 2)
    assert (half[..., :24] == 1).all() and not half[..., 24:].any()
    assert (coverage([Brush(style, mask=left_of(48)), Brush(style)], x) == 1).all()
    assert_close(coverage([Brush(style, mask=left_of(96) / 4)] * 2, x), torch.full_like(half, 0.5))


def test_pictures_shrink_and_masks_stay():
    """A painting shrinks with the content, but not below the smallest stage."""
    brush = Brush(torch.rand(1, 3, 200, 240), 2.0, left_of(8))
    (half,) = shrink_pictures([brush], 0.5)
    assert half.picture.shape[2:] == (100, 120)
    assert (half.weight, half.mask is brush.mask) == (2.0, True)
    (tenth,) = shrink_pictures([brush], 0.1)
    assert tenth.picture.shape[2:] == (SMALLEST_SIDE, SMALLEST_SIDE * 240 // 200)
    tiny = Brush(torch.rand(1, 3, 48, 40))
    assert shrink_pictures([tiny], 0.25)[0].picture is tiny.picture


def test_it_can_start_with_the_first_style(paint, style, other):
    start = {}
    for name, brushes in {"picture": style, "brushes": [Brush(style), Brush(other)]}.items():
        paint(
            brushes,
            init="style",
            steps=1,
            **SHALLOW,
            callback=lambda e, x, losses, name=name: start.update({name: x}),
        )
    assert torch.equal(start["picture"], start["brushes"])


def test_a_mask_without_effect_is_told(content, style):
    """Of several brushes, the one whose mask is white everywhere."""
    brushes = [Brush(style, mask=left_of(40)), Brush(style, mask=torch.ones(HEIGHT, WIDTH))]
    with pytest.warns(RuntimeWarning) as told:
        check_style(brushes, content)
    (message,) = [str(warning.message) for warning in told]
    assert message.startswith("style[1].mask is 1 everywhere")


@pytest.mark.parametrize("most", [1, 2])
def test_a_mask_of_numbered_regions_is_told(most, content, tmp_path):
    """0 and 1 of 255, as programs write them that divide pictures: nearly black."""
    levels = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    levels[:, :40] = most
    Image.fromarray(levels).save(tmp_path / "regions.png")
    with pytest.warns(RuntimeWarning) as told:
        load_mask(tmp_path / "regions.png", content)
    (message,) = [str(warning.message) for warning in told]
    assert f"regions.png is nearly black: its lightest value is {most} of 255" in message


def test_brushes_are_not_written_to(paint, style, other):
    mask = left_of(40)
    before = style.clone(), mask.clone()
    paint([Brush(style, mask=mask), Brush(other)], **SHALLOW)
    assert torch.equal(style, before[0]) and torch.equal(mask, before[1])


# what is refused

PICTURE, WHOLE = torch.full((1, 3, 64, 64), 0.5), torch.ones(HEIGHT, WIDTH)
REFUSED = [
    pytest.param([], "style is an empty list", id="no brush"),
    pytest.param((), "style is an empty list", id="an empty tuple"),
    pytest.param(
        [PICTURE, PICTURE],
        r"list that holds a Tensor: make a brush of every picture",
        id="pictures",
    ),
    pytest.param([Brush(PICTURE), "castle"], "list that holds a str", id="a name among brushes"),
    pytest.param({"a": Brush(PICTURE)}, "style is a dict, not a tensor", id="a dict"),
    pytest.param(
        [Brush("castle.jpg")],
        r"style\[0\].picture is a str, not a tensor",
        id="the picture of a brush a name",
    ),
    pytest.param(
        [Brush(PICTURE), Brush(PICTURE[0])],
        r"style\[1\].picture has the shape \[3, 64, 64\]",
        id="picture 3-d",
    ),
    pytest.param(
        [Brush(PICTURE * 255)],
        r"style\[0\].picture has values .* Divide by 255",
        id="picture 0…255",
    ),
    *(
        pytest.param(
            [Brush(PICTURE), Brush(PICTURE, wrong)],
            r"style\[1\].weight is .* a finite number",
            id=f"weight={wrong!r}",
        )
        for wrong in (-1, math.nan, math.inf, "1", None, True, torch.tensor(1.0))
    ),
    pytest.param(
        [Brush(PICTURE), Brush(PICTURE, 0.0)],
        r"style\[1\].weight is 0: leave this brush out",
        id="weight=0",
    ),
    pytest.param(
        [Brush(PICTURE, mask="left")], r"style\[0\].mask is a str, not a tensor", id="mask a name"
    ),
    pytest.param(
        [Brush(PICTURE, mask=WHOLE.numpy())],
        r"style\[0\].mask is a ndarray, not a tensor",
        id="mask an array",
    ),
    *(
        pytest.param(
            [Brush(PICTURE, mask=torch.ones(shape))],
            rf"mask has the shape .* height and width, \[{HEIGHT}, {WIDTH}\]",
            id=f"mask {list(shape)}",
        )
        for shape in (
            (WIDTH, HEIGHT),
            (HEIGHT, WIDTH + 1),
            (1, HEIGHT, WIDTH),
            (1, 3, HEIGHT, WIDTH),
            (),
            (HEIGHT * WIDTH,),
        )
    ),
    pytest.param(
        [Brush(PICTURE, mask=WHOLE.bool())],
        r"mask has the shape .* and type torch.bool: .* float",
        id="mask of bool",
    ),
    pytest.param(
        [Brush(PICTURE, mask=WHOLE * 255)],
        r"mask has values from 255 to 255: .* Divide by 255",
        id="mask 0…255",
    ),
    pytest.param(
        [Brush(PICTURE, mask=-WHOLE)], "mask has values from -1 to -1", id="mask negative"
    ),
    pytest.param(
        [Brush(PICTURE, mask=WHOLE * math.nan)], "mask has values from nan to nan", id="mask nan"
    ),
    pytest.param(
        [Brush(PICTURE), Brush(PICTURE, mask=WHOLE * 0)],
        r"style\[1\].mask is 0 everywhere",
        id="mask all 0",
    ),
    pytest.param([Brush(PICTURE, mask=WHOLE * 1e-30)], "is 0 everywhere", id="mask almost 0"),
]


@pytest.mark.parametrize(("style", "message"), REFUSED)
def test_brushes_that_make_no_sense_are_refused(content, style, message, monkeypatch):
    """ValueError in words, before the network is built."""
    monkeypatch.setattr("stlib.transfer.VGG", lambda: pytest.fail("the network was built"))
    with pytest.raises(ValueError, match=message):
        style_transfer(content, style)


@pytest.mark.parametrize(
    "mask",
    [left_of(1), left_of(1)[None, None], left_of(96) / 255, left_of(9).half(), left_of(9).double()],
)
def test_masks_of_any_form_and_float_type_work(paint, style, mask):
    """One column, the faintest grey of a file, half and double precision: a loss that falls."""
    totals = [losses["total"] for losses in paint(Brush(style, mask=mask)).history]
    assert all(math.isfinite(total) for total in totals) and totals[-1] < totals[0]


def test_one_pixel_is_enough_of_a_region(paint, style):
    mask = torch.zeros(HEIGHT, WIDTH)
    mask[63, 95] = 1 / 255
    assert math.isfinite(paint(Brush(style, mask=mask), steps=2).history[-1]["total"])
