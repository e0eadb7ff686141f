"""VGG-19 of `keras.applications` with the course's own weights, for chapter 09: Keras 3 on PyTorch.

Keras chooses its backend when it is imported, and writes its settings into its home folder then. So
this module imports it: with PyTorch, on the CPU, and with a home folder that lasts no longer than
the import.
"""

import os
import sys
import tempfile

from stlib._language import tr
from stlib.errors import needs_extra
from stlib.layers import find_layer
from stlib.weights import Weights, load_weights

if "keras" not in sys.modules:
    with tempfile.TemporaryDirectory(prefix="keras-") as _home:
        os.environ.update(KERAS_BACKEND="torch", KERAS_HOME=_home, KERAS_TORCH_DEVICE="cpu")
        with needs_extra("stlib.course.keras_example", "course"):
            import keras
import keras


def keras_vgg19(weights: Weights | None = None) -> keras.Model:
    """The convolutions of `keras.applications.VGG19`, frozen, with the weights of `stlib.VGG`.

    weights: from `load_weights`, for VGG-19; None is "oxford". Pictures are [B, H, W, 3], BGR,
    0…255 minus the mean, as `keras.applications.vgg19.preprocess_input` makes them, on the CPU.
    Returns a model whose layers are called block1_conv1 … block5_pool; a convolution's output has
    passed its ReLU.
    Raises ValueError for weights of another depth or another input than Keras' own, RuntimeError
    when Keras already runs on another backend.
    """
    if keras.backend.backend() != "torch":
        raise RuntimeError(
            tr(
                "Keras was imported before, with the backend {backend!r}. Restart the kernel, and "
                'import stlib.course.keras_example first, or set KERAS_BACKEND="torch" before.'
            ).format(backend=keras.backend.backend())
        )
    weights = load_weights("oxford") if weights is None else weights
    if weights.depth != 19 or weights.preprocess.order != "BGR":
        raise ValueError(
            tr(
                "these weights ({name!r}, VGG-{depth}, {order}) do not fit Keras' "
                'VGG19 and its preprocess_input, which gives BGR: use load_weights("oxford").'
            ).format(name=weights.name, depth=weights.depth, order=weights.preprocess.order)
        )
    with keras.device("cpu"):
        model = keras.applications.VGG19(
            weights=None, include_top=False, input_shape=(None, None, 3)
        )
    for name, (filters, biases) in weights.convolutions.items():
        place = find_layer(name)
        layer = model.get_layer(f"block{place.block}_conv{place.number}")
        # [out, in, 3, 3] → [3, 3, in, out]
        layer.set_weights([filters.permute(2, 3, 1, 0).numpy(), biases.numpy()])
    model.trainable = False
    return model
