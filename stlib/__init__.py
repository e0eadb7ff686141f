"""stlib: neural style transfer that can be read; the helper package of the course "Style transfer, step by step".

To paint: `load_image` or `sample`, `style_transfer`, `save_image`; `estimate` tells before how long it will take.
To understand: `VGG` is the network; `gram_matrix`, `content_loss`, `style_loss` and others (module `losses`) the mathematics.
To go further: `Brush` for several styles; the modules `colour` (keep the photo's colours), `explain` (look inside the network),
`grid` (compare settings), `batch` and `jobs` (many pictures), `solver` (what makes it fast), `show` (the course's plots).
`doctor` says whether this machine is ready; module `check` holds the checkers of the exercises.
"""

from stlib import heap

heap.ask_for_large_pages()  # before the other modules make their first tensors

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
