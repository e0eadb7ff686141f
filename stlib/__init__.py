"""stlib: neural style transfer that can be read; the helper package of the course "Style transfer, step by step"."""

from stlib.brushes import Brush
from stlib.checkpoint import CheckpointError
from stlib.cost import estimate
from stlib.doctor import doctor
from stlib.images import ImageError, load_image, sample, sample_names, save_image, to_pil
from stlib.losses import (
    content_loss,
    gram_matrix,
    style_layer_loss,
    style_loss,
    style_target,
    total_loss,
    total_variation,
)
from stlib.transfer import Transfer, style_transfer
from stlib.vgg import VGG
from stlib.weights import WeightsError, load_weights

__all__ = [
    "VGG", "Brush", "CheckpointError", "ImageError", "Transfer", "WeightsError", "content_loss", "doctor", "estimate",
    "gram_matrix", "load_image", "load_weights", "sample", "sample_names", "save_image", "style_layer_loss", "style_loss",
    "style_target", "style_transfer", "to_pil", "total_loss", "total_variation",
]
__version__ = "0.1.0"
