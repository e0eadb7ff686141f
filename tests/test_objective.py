"""The total loss: what is added to the paper's, and how hard its layers pull."""

import pytest
import torch
import torch.nn.functional as nnf
from torch.testing import assert_close

from stlib import Objective, Settings, equal_pulls, sample
from stlib.losses import overflow, roughness, style_target
from stlib.tiles import style_targets


@pytest.fixture
def pictures():
    return sample("castle", 64), sample("cafe-terrace", 64)


@pytest.fixture
def x(pictures, generator):
    """A picture that cannot be shown as it is."""
    return pictures[0] + 0.3 * torch.randn(pictures[0].shape, generator=generator)


def test_roughness_and_overflow_cost_their_part_of_beta(net, pictures, x):
    """L_total = α L_content + β (L_style + their weights times their means)."""
    settings = Settings(alpha=2, beta=1e5, roughness=3, overflow=7)
    total, losses = Objective(net, *pictures, settings)(x)
    priced = losses["style"] + 3 * float(roughness(x)) + 7 * float(overflow(x))
    assert min(losses["roughness"], losses["overflow"]) > 0
    assert float(total) == pytest.approx(2 * losses["content"] + 1e5 * priced, rel=1e-5)


def test_the_papers_objective_is_what_none_stands_for(net, pictures, x):
    """Whichever solver the settings are for; the run completes them for the fast one."""
    paper = Objective(net, *pictures)(x)[1]
    assert Objective(net, *pictures, Settings(solver="fast"))(x)[1] == paper
    assert Objective(net, *pictures, Settings(solver="plain").complete())(x)[1] == paper
    assert Objective(net, *pictures, Settings().complete())(x)[1]["total"] != paper["total"]


def test_padding_reaches_picture_and_targets(net, pictures):
    """With either, the content picture has no content loss; a picture has its own style."""
    content, style = pictures
    for padding in ("zero", "replicate"):
        assert Objective(net, content, style, Settings(padding=padding))(content)[1]["content"] == 0
    own = {
        padding: Objective(net, style, style, Settings(padding=padding))(style)[1]["style"]
        for padding in ("zero", "replicate")
    }
    # but for its border: with "replicate" it is seen with a mirrored margin
    assert own["zero"] < 1e-9 < own["replicate"]


def test_a_margin_keeps_a_paintings_border_out_of_its_style(net):
    """The style of a picture that goes on as its mirror image is that of its middle."""
    middle = sample("cafe-terrace", 96)
    large = nnf.pad(middle, (64,) * 4, mode="reflect")
    layers = ["relu1_1", "relu3_1", "relu4_1"]
    seen = style_targets(net, middle, layers, "replicate", None, margin=64)
    for layer, F in net.walk(large, layers, "replicate"):
        stride = large.shape[2] // F.shape[2]
        inner = [slice(64 // stride, 64 // stride + side // stride) for side in middle.shape[2:]]
        target = style_target(F[..., inner[0], inner[1]])
        assert_close(seen[layer], target, rtol=1e-4, atol=1e-5 * float(target.abs().max()))
    in_tiles = style_targets(net, middle, layers, "replicate", 32, margin=64)
    for layer, A in seen.items():
        assert_close(in_tiles[layer], A, rtol=1e-3, atol=1e-5 * float(A.abs().max()))


def test_with_equal_pulls_all_layers_pull_alike(net, pictures, x):
    """The gradients of w_l E_l are equally long; with equal w_l they are not, by far."""
    objective = Objective(net, *pictures)
    w = equal_pulls(objective, x)
    assert sum(w.values()) == pytest.approx(1)
    x = x.requires_grad_()
    pulls = {
        layer: float(torch.autograd.grad(E, x, retain_graph=True)[0].norm())
        for layer, E in objective.style_layer_losses(x).items()
    }
    weighted = torch.tensor([w[layer] * pulls[layer] for layer in w])
    assert_close(weighted, weighted.mean().expand(5), rtol=1e-4, atol=0)
    assert max(pulls.values()) > 10 * min(pulls.values())


def test_what_does_not_pull_has_no_weight(net, pictures):
    """At the style picture itself every loss is 0."""
    _, style = pictures
    with pytest.raises(ValueError, match=r"does not pull at this picture: its style loss is 0"):
        equal_pulls(Objective(net, style, style), style)
