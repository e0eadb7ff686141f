"""The network: torchvision's own layer for layer, under names, frozen, no further than asked."""

from functools import partial

import pytest
import torch
import torch.nn.functional as nnf
import torchvision
from torch.testing import assert_close

from stlib import VGG, sample, vgg
from stlib._kernels import winograd
from stlib.layers import conv_shapes, layer_names, layers_of, route
from stlib.vgg import best_device, channel_means
from stlib.weights import load_weights


@pytest.fixture(scope="module")
def averaging():
    """The trained network with average pooling. Do not change it."""
    return VGG(pooling="average", normalized=False, device="cpu")


@pytest.fixture(scope="module")
def random16():
    """An untrained VGG-16. Do not change it."""
    return VGG(16, weights="random", normalized=False, device="cpu")


@pytest.fixture
def picture(generator):
    """32 × 32 pixels of noise: the smallest that passes every layer."""
    return torch.rand(1, 3, 32, 32, generator=generator)


def relus(net):
    return [layer.name for layer in layers_of(net.depth) if layer.kind == "relu"]


def assert_close_to_maximum(ours, theirs, tolerance=1e-5):
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() <= tolerance * theirs.abs().max()


# the same network as torchvision's


@pytest.mark.parametrize(("depth", "names"), [(16, 13 + 13 + 5), (19, 16 + 16 + 5)])
def test_every_layer_is_torchvisions(depth, names, tmp_path, generator):
    """The same state dict, (x − mean) / std by hand: equal to 3e-5 of the maximum."""
    with torch.device("meta"):
        model = getattr(torchvision.models, f"vgg{depth}")(weights=None).features
    state = {
        name: torch.randn(tensor.shape, generator=generator) * (2 / tensor[0].numel()) ** 0.5
        if tensor.ndim == 4
        else 0.1 * torch.randn(tensor.shape, generator=generator)
        for name, tensor in model.state_dict().items()
    }
    model.load_state_dict(state, assign=True)
    torch.save({f"features.{name}": tensor for name, tensor in state.items()}, tmp_path / "vgg.pth")
    net = VGG(depth, weights=tmp_path / "vgg.pth", normalized=False, device="cpu")

    image = torch.rand(1, 3, 48, 37, generator=generator)
    features = net.features(image, net.names)
    assert len(features) == len(net.names) == len(model) == names
    x = (image - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(3, 1, 1)
    with torch.no_grad():
        for name, layer in zip(net.names, model, strict=True):
            x = layer(x.clone())  # torchvision's ReLU works in place
            assert_close_to_maximum(features[name], x, 3e-5)


def test_the_layers_have_the_papers_names():
    """conv1_1, relu1_1, …: 2, 2, 4, 4, 4 convolutions in VGG-19, 2, 2, 3, 3, 3 in VGG-16."""
    assert layer_names(19)[:6] == ("conv1_1", "relu1_1", "conv1_2", "relu1_2", "pool1", "conv2_1")
    assert layer_names(19)[-3:] == ("conv5_4", "relu5_4", "pool5")
    assert set(layer_names(19)) - set(layer_names(16)) == {
        f"{kind}{block}_4" for kind in ("conv", "relu") for block in (3, 4, 5)
    }


def test_vgg16_with_random_weights(random16, picture):
    """512 channels at a sixteenth of the side in block 5; no relu5_4."""
    assert random16.features(picture, ["relu5_3"])["relu5_3"].shape == (1, 512, 2, 2)
    with pytest.raises(
        ValueError, match=r"no layer 'relu5_4' in VGG-16; block 5 has relu5_1 … relu5_3"
    ):
        random16.features(picture, ["relu5_4"])


# features


def test_features_come_in_the_order_asked(trained, picture):
    """Order and spelling of the request, each with the number of channels and side of its block."""
    layers = ["pool5", "relu1_1", "conv4_2", "pool2"]
    features = trained.features(picture, layers)
    assert list(features) == layers
    assert [tuple(f.shape[1:]) for f in features.values()] == [
        (512, 1, 1),
        (64, 32, 32),
        (512, 4, 4),
        (128, 8, 8),
    ]


def test_a_layer_does_not_depend_on_what_else_is_asked(trained, picture):
    """All 37 at once equal each alone; every fourth is tried."""
    together = trained.features(picture, trained.names)
    for layer in trained.names[::4]:
        assert torch.equal(trained.features(picture, [layer])[layer], together[layer])


def test_one_name_is_a_list_of_one(trained, picture):
    assert list(trained.features(picture, "relu1_2")) == ["relu1_2"]


def test_relu_does_not_overwrite_what_was_asked_for(trained, content):
    """conv has negative values, relu = max(conv, 0)."""
    features = trained.features(content, trained.names)
    for layer, _, _ in conv_shapes(trained.depth):
        before, after = features[layer.name], features[layer.above.name]
        assert before.min() < 0
        assert torch.equal(after, before.clamp(min=0))


def test_the_picture_stays_as_it_was(trained, picture):
    before = picture.clone()
    trained.features(picture, ["relu2_1"])
    assert torch.equal(picture, before)


@pytest.mark.parametrize(
    ("layers", "last", "count"),
    [
        (["conv1_1"], "conv1_1", 1),
        (["relu3_1", "relu1_1"], "conv3_1", 5),
        (["pool2"], "conv2_2", 4),
        (["relu5_1"], "conv5_1", 13),
    ],
)
def test_the_network_runs_no_further_than_asked(trained, picture, monkeypatch, layers, last, count):
    """The convolutions that run are those up to the deepest layer, each once."""
    ran = []
    names = {convolution: name for name, convolution in trained.convolutions.items()}
    convolve = winograd.Convolution.forward

    def noted(convolution, x, padding):
        ran.append(names[convolution])
        return convolve(convolution, x, padding)

    monkeypatch.setattr(winograd.Convolution, "forward", noted)
    trained.features(picture, layers)
    assert len(ran) == count
    assert ran[-1] == last


def test_the_network_is_frozen(net):
    """No parameter asks for a gradient; evaluation mode."""
    assert len(list(net.parameters())) == 32
    assert not any(parameter.requires_grad for parameter in net.parameters())
    assert not net.training


def test_the_gradient_flows_to_the_picture_alone(net, picture):
    """∂/∂x reaches every pixel, no filter gets one, and none is asked for without need."""
    x = picture.requires_grad_()
    net.features(x, ["relu5_1"])["relu5_1"].sum().backward()
    assert x.grad.shape == x.shape
    assert (x.grad != 0).all()
    assert all(parameter.grad is None for parameter in net.parameters())
    assert not net.features(x.detach(), ["relu1_1"])["relu1_1"].requires_grad


def test_gradient_is_that_of_the_direct_convolutions(trained, content, monkeypatch):
    """Winograd's layers off: the same ∂/∂x to 1e-4 of its maximum."""

    def gradient():
        x = content.clone().requires_grad_()
        return torch.autograd.grad(trained.features(x, ["relu5_1"])["relu5_1"].square().sum(), x)[0]

    ours = gradient()
    monkeypatch.setattr(vgg.winograd, "pays", lambda convolution, x: False)
    assert_close_to_maximum(ours, gradient(), 1e-4)


def test_a_repeated_edge_hides_where_the_border_is(trained):
    """An even picture has even features then, in all layers; zeros make a frame."""
    even = torch.full((1, 3, 96, 64), 0.7)
    for layer, F in trained.features(even, ["relu1_1", "relu3_1", "relu5_1"], "replicate").items():
        assert (F - F[:, :, :1, :1]).abs().max() < 1e-4 * F.abs().max(), layer
    framed = trained.features(even, "relu5_1")["relu5_1"]
    assert (framed - framed[:, :, :1, :1]).abs().max() > 0.1 * framed.abs().max()


def test_a_repeated_edge_changes_nothing_far_from_it(trained, generator):
    """Nothing beyond half a receptive field: 12 pixels for relu3_1."""
    image = torch.rand(1, 3, 96, 96, generator=generator)
    zero, replicate = (
        trained.features(image, "relu3_1", padding)["relu3_1"] for padding in ("zero", "replicate")
    )
    assert_close(zero[:, :, 3:-3, 3:-3], replicate[:, :, 3:-3, 3:-3], rtol=1e-3, atol=1e-2)
    assert not torch.allclose(zero, replicate, rtol=1e-2, atol=1)
    with pytest.raises(ValueError, match="padding is 'reflect'"):
        trained.features(image, "relu3_1", "reflect")


def test_two_pictures_at_once_equal_each_alone(net, generator):
    """Of a batch, which takes the direct convolutions, each row is what the picture alone gives."""
    batch = torch.rand(2, 3, 40, 48, generator=generator)
    together = net.features(batch, ["conv3_3", "relu5_1"])
    for i in range(2):
        for layer, alone in net.features(batch[i : i + 1], ["conv3_3", "relu5_1"]).items():
            assert_close_to_maximum(together[layer][i : i + 1], alone)


def test_features_are_the_same_every_time(net, content):
    first, second = (net.features(content, ["relu3_3", "relu5_1"]) for _ in range(2))
    assert all(torch.equal(first[layer], second[layer]) for layer in first)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_pictures_of_other_float_types_are_converted(trained, picture, dtype):
    features = trained.features(picture.to(dtype), ["relu3_1"])["relu3_1"]
    assert features.dtype == torch.float32
    assert_close_to_maximum(features, trained.features(picture, ["relu3_1"])["relu3_1"], 1e-2)


# what is refused


@pytest.mark.parametrize(
    ("layer", "hint"),
    [
        ("relu4_5", "block 4 has relu4_1 … relu4_4"),
        ("conv1_3", "block 1 has conv1_1 … conv1_2"),
        ("Conv4_2", "block 4 has conv4_1 … conv4_4"),
        ("block4_conv2", "block 4 has conv4_1 … conv4_4"),
        ("conv6_1", "the nearest are conv5_1"),
        ("rleu3_1", "the nearest are relu3_1"),
        ("pool9", "there are pool1 … pool5"),
        ("block4_pool", "there are pool1 … pool5"),
        ("", "there are conv1_1 … conv5_4, relu1_1 … relu5_4 and pool1 … pool5"),
        (4, "the nearest are pool4"),
    ],
)
def test_unknown_layer_names_the_nearest(trained, picture, layer, hint):
    with pytest.raises(ValueError) as caught:
        trained.features(picture, ["relu1_1", layer])
    assert f"no layer {layer!r} in VGG-19; {hint}" in str(caught.value)


def test_unknown_layer_of_vgg16_names_vgg16s(random16, picture):
    with pytest.raises(
        ValueError,
        match=r"in VGG-16; there are conv1_1 … conv5_3, relu1_1 … relu5_3 and pool1 … pool5",
    ):
        random16.features(picture, ["?"])


def test_no_layer_is_refused(trained, picture):
    with pytest.raises(ValueError, match="no layer asked for: give at least one"):
        trained.features(picture, [])


@pytest.mark.parametrize(
    ("image", "got"),
    [
        (torch.zeros(3, 32, 32), r"\[3, 32, 32\] of torch.float32"),
        (torch.zeros(1, 1, 32, 32), r"\[1, 1, 32, 32\] of torch.float32"),
        (torch.zeros(1, 4, 32, 32), r"\[1, 4, 32, 32\] of torch.float32"),
        (torch.zeros(1, 32, 32, 3), r"\[1, 32, 32, 3\] of torch.float32"),
        (torch.zeros(1, 3, 32, 32, dtype=torch.uint8), r"\[1, 3, 32, 32\] of torch.uint8"),
        ("castle.jpg", "str"),
        (None, "NoneType"),
    ],
    ids=str,
)
def test_what_is_no_picture_is_refused(trained, image, got):
    with pytest.raises(
        ValueError,
        match=rf"a picture is a float tensor \[1, 3, H, W\].*as load_image gives; got {got}\.$",
    ):
        trained.features(image, ["relu1_1"])


def test_unknown_pooling_lists_the_known():
    with pytest.raises(
        ValueError, match=r"pooling is 'mean': use \"max\" \(as trained\) or \"average\""
    ):
        VGG(pooling="mean")


# pooling


def test_poolings_differ_from_the_first_on(trained, averaging, content):
    """pool1 is the maximum, or the mean, of 2 × 2 positions of the same relu1_2."""
    layers = ["relu1_2", "pool1", "relu3_1"]
    most, mean = trained.features(content, layers), averaging.features(content, layers)
    assert torch.equal(most["relu1_2"], mean["relu1_2"])
    blocks = nnf.unfold(mean["relu1_2"].transpose(0, 1), 2, stride=2)
    height, width = mean["pool1"].shape[2:]
    assert_close(mean["pool1"][0], blocks.mean(dim=1).view(64, height, width))
    assert_close(most["pool1"][0], blocks.amax(dim=1).view(64, height, width))
    assert not torch.allclose(most["relu3_1"], mean["relu3_1"], rtol=0.1)


# the normalised network


def test_normalising_changes_each_channels_scale_alone(net, trained, content):
    """relu_l · m_l = relu_l of the network as trained; rounding adds up to 1e-5 at relu5_4."""
    layers = relus(net)
    normalized, as_trained = net.features(content, layers), trained.features(content, layers)
    for layer, m in vgg._shipped_means().items():
        assert_close_to_maximum(normalized[layer] * m.view(1, -1, 1, 1), as_trained[layer], 3e-5)
        assert not torch.allclose(normalized[layer], as_trained[layer], rtol=0.1)


def test_shipped_means_are_the_measured(trained):
    """m_l over the samples at 256 pixels, as channel_means.npz has them; to 1e-3."""
    shipped, measured = vgg._shipped_means(), channel_means(trained)
    assert list(shipped) == list(measured) == relus(trained)
    for layer in shipped:
        assert_close(shipped[layer], measured[layer], rtol=1e-3, atol=0)


def test_channel_means_are_over_pictures_and_positions(random16, generator, monkeypatch):
    """m is a mean over pictures of means over positions; a silent channel gets 1."""
    pictures = {side: torch.rand(1, 3, side, 16, generator=generator) for side in (16, 40)}
    monkeypatch.setattr(vgg, "sample_names", lambda: list(pictures))
    monkeypatch.setattr(vgg, "sample", pictures.get)
    silencing = torch.nn.Parameter(torch.tensor([0.0, 0, 0, -1e6] + [0] * 60), requires_grad=False)
    monkeypatch.setattr(random16.convolutions["conv1_1"], "bias", silencing)
    slow = (
        sum(
            random16.features(x, ["relu1_1"])["relu1_1"][0].mean(dim=(1, 2))
            for x in pictures.values()
        )
        / 2
    )
    assert slow[3] == 0
    slow[3] = 1
    assert_close(channel_means(random16)["relu1_1"], slow)


@pytest.mark.parametrize(
    "build", [{"pooling": "average"}, {"weights": "random", "depth": 16}], ids=str
)
def test_other_networks_are_measured_when_built(monkeypatch, build):
    """Mean activations are 1 in every channel that is not silent; at 64 pixels, for speed."""
    monkeypatch.setattr(vgg, "sample", lambda name: sample(name, 64))
    net = VGG(**build, device="cpu")
    layers = relus(net)
    features = [net.features(vgg.sample(name), layers) for name in vgg.sample_names()]
    for layer in layers:
        means = torch.stack([f[layer].mean(dim=(0, 2, 3)) for f in features]).mean(dim=0)
        heard = means > 0
        assert heard.float().mean() > 0.5
        assert_close(
            means[heard], torch.ones_like(means[heard]), rtol=1e-2, atol=0
        )  # 1e-3 where a channel is all but silent


def test_normalising_leaves_the_callers_weights_alone():
    """One Weights object, two networks: neither filters nor biases are scaled twice."""
    weights = load_weights()
    before = [tensor.clone() for tensor in weights.convolutions["conv4_1"]]
    first, second = (VGG(weights=weights, device="cpu").convolutions["conv4_1"] for _ in range(2))
    for now, then in zip(weights.convolutions["conv4_1"], before, strict=True):
        assert torch.equal(now, then)
    assert torch.equal(first.weight, second.weight)
    assert torch.equal(first.bias, second.bias)


# devices


@pytest.mark.parametrize(
    ("cuda", "mps", "best"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_the_best_device_is_the_fastest_there_is(monkeypatch, cuda, mps, best):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert best_device() == torch.device(best)


def test_the_device_can_be_chosen(net):
    """VGG(device="cpu") computes there, wherever the picture is."""
    assert net.device == torch.device("cpu")
    assert all(parameter.device.type == "cpu" for parameter in net.parameters())


@pytest.mark.parametrize(
    "device",
    [
        pytest.param(
            "cuda",
            marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
        ),
        pytest.param(
            "mps",
            marks=pytest.mark.skipif(
                not torch.backends.mps.is_available(), reason="no Apple GPU here"
            ),
        ),
    ],
)
def test_features_on_a_gpu_are_those_on_the_cpu(device, net, content):
    """To 1e-2 of the maximum, for GPUs that multiply in TF32."""
    there = VGG(device=device).features(content, ["relu4_2"])["relu4_2"]
    assert there.device.type == device
    assert_close_to_maximum(there.cpu(), net.features(content, ["relu4_2"])["relu4_2"], 1e-2)


@pytest.mark.parametrize(
    "asked",
    [["relu5_1"], ["relu1_2", "relu5_1"], ["conv2_2", "relu3_1"], ["pool1", "relu2_1"], ["pool5"]],
)
def test_pooling_before_a_relu_changes_nothing(net, monkeypatch, asked):
    """The ReLU after the maximum: the same features and the same gradient."""
    image = sample("castle", 97)

    def features_and_gradient():
        x = image.clone().requires_grad_()
        found = net.features(x, asked)
        sum(features.square().mean() for features in found.values()).backward()
        return [*found.values(), x.grad]

    ours = features_and_gradient()
    in_order = partial(route, max_pooling=False)
    monkeypatch.setattr(vgg, "route", lambda depth, asked, max_pooling: in_order(depth, asked))
    for value, expected in zip(ours, features_and_gradient(), strict=True):
        assert torch.equal(value, expected)


def test_a_max_pooling_comes_before_its_relu_where_nobody_asked_for_either():
    order = [layer.name for layer in route(19, ("relu2_2", "relu3_1"), max_pooling=True)]
    assert order[-1] == "relu3_1"
    assert order[order.index("conv1_2") + 1 :][:2] == ["pool1", "relu1_2"]
    assert order[order.index("conv2_2") + 1 :][:2] == ["relu2_2", "pool2"]
