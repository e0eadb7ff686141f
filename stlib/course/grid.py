"""Grids of experiments: one run per setting, and all pictures measured by one yardstick."""

import itertools
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from stlib._language import tr
from stlib._progress import progress_bar
from stlib.arguments import check_some, checked, unknown_keyword
from stlib.objective import Objective
from stlib.settings import Settings
from stlib.transfer import Result, paint
from stlib.vgg import VGG


@checked
def run(
    settings: Mapping[str, Mapping[str, Any]],
    content: Tensor,
    style: Tensor,
    net: VGG,
    **common: Any,
) -> dict[str, Result]:
    """Paint once for each setting; what a setting does not name is the same for all.

    settings: {name: settings of `Settings`}, for example {"as usual": {}, "noise": {"init":
        "noise"}}. A setting may also replace the content, the style or the net.
    content, style, net: as for `style_transfer`.
    common: further settings, the same for all, such as steps and seed. The solver is the plain one
        unless they say otherwise: all of its evaluations are of the same loss and cost the same.
    Returns {name: Result} in the same order.
    Raises ValueError, before any work, for settings that make no sense, and when a setting changes
    what is also given for all.
    """
    for name, changed in settings.items():
        if twice := sorted(changed.keys() & common.keys()):
            raise ValueError(
                tr(
                    "setting {name!r} changes {changed}, which is also given for all: "
                    "give it in one of the two places."
                ).format(name=name, changed=tr(" and ").join(twice))
            )
    usual = {"content": content, "style": style, "net": net}
    known = [*usual, *(setting.name for setting in fields(Settings))]
    for name in itertools.chain(common, *settings.values()):
        if name not in known:
            raise unknown_keyword("grid.run", name, known)
    runs = {}
    for name, changed in settings.items():
        chosen = {"solver": "plain", **common, **changed}
        inputs = {key: chosen.pop(key, value) for key, value in usual.items()}
        runs[name] = inputs, Settings(**chosen)
    results = {}
    with progress_bar(len(runs), tr("run")) as bar:
        for name, (inputs, chosen_settings) in runs.items():
            results[name] = paint(**inputs, settings=chosen_settings, progress=False)
            bar.update()
    return results


@checked
def judge(
    pictures: Mapping[str, Tensor], content: Tensor, style: Tensor, net: VGG
) -> dict[str, dict[str, float]]:
    """Measure all pictures by the same losses, whatever each of them was made to lower.

    pictures: {name: [1, 3, H, W]}, of the content's size. content, style, net: of the losses.
    Returns {name: {"content": …, "relu1_1": …, …, "relu5_1": …}}: 2 L_content/(N M), the mean
    square by which a feature of relu4_2 is off, and E_l of the paper's five style layers.
    """
    yardstick = Objective(net, content, style)
    count = sum(P.numel() for P in yardstick.P.values())
    rows = {}
    for name, picture in pictures.items():
        with torch.no_grad():
            losses = yardstick(picture.to(net.device))[1]
        rows[name] = {
            "content": 2 * losses["content"] / count,
            **{layer: losses[layer] for layer in yardstick.targets},
        }
    return rows


@checked
def table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Numbers with two digits as aligned text, one line per row below the columns' names."""
    check_some("rows", rows)
    columns = list(next(iter(rows.values())))
    first, other = max(map(len, rows)), max(9, 2 + max(map(len, columns)))
    lines = [" " * first + "".join(f"{column:>{other}}" for column in columns)]
    lines += [
        f"{name:<{first}}" + "".join(f"{row[column]:>{other}.2g}" for column in columns)
        for name, row in rows.items()
    ]
    return "\n".join(lines)
