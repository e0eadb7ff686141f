"""The progress bar of everything that takes longer than two seconds."""

import os

from tqdm.auto import tqdm


def progress_bar(total: float, unit: str, *, shown: bool = True, scaled: bool = False) -> tqdm:
    """A bar that disappears when it is done.

    total: of what is counted. unit: what is counted. shown: False makes a bar that shows nothing.
    scaled: whether the count may be a fraction.
    """
    # tqdm's own switch, which its notebook bar overlooks
    silent = not shown or bool(os.environ.get("TQDM_DISABLE"))
    return tqdm(
        total=total,
        disable=silent,
        leave=False,
        unit=unit,
        unit_scale=scaled,
        miniters=0,  # its own guess, learnt from quick steps, leaves the bar still in slow ones
    )
