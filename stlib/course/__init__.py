"""What the chapters use: plots, looks inside the network, grids of experiments, the exercises."""

from stlib.course.studio import studio  # the function, also once its module has been imported

__all__ = ["studio"]
