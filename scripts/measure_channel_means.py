"""Measure the channel means that stlib ships: python scripts/measure_channel_means.py

They are measured on the sample pictures, written to stlib/channel_means.npz and needed to normalise
the filters (see stlib.vgg). Run it again only when the sample pictures change.
"""

from pathlib import Path

import numpy as np

from stlib.vgg import VGG, channel_means

TARGET = Path(__file__).parents[1] / "stlib" / "channel_means.npz"


def main() -> None:
    means = channel_means(VGG(weights="oxford", pooling="max", normalized=False, device="cpu"))
    np.savez_compressed(TARGET, **{layer: m.numpy() for layer, m in means.items()})
    print(f"{len(means)} layers, {TARGET.stat().st_size / 1000:.0f} kB: {TARGET}")


if __name__ == "__main__":
    main()
