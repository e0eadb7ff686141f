"""The page of stlib's public functions and classes, in the order in which one meets them."""

import stlib

PUBLIC = {
    "Painting": ["style_transfer", "Result", "Settings", "Brush", "load_mask", "estimate"],
    "Pictures": [
        *("load_image", "save_image", "to_pil", "sample", "sample_names", "match_colours"),
    ],
    "The network": ["VGG", "load_weights"],
    "The losses": [
        *("gram_matrix", "content_loss", "style_target", "style_layer_loss"),
        *("style_layer_losses", "style_loss", "total_loss", "total_variation"),
    ],
    "The loop": ["Objective", "equal_pulls", "descend", "lbfgs", "Reason"],
    "This machine": ["doctor"],
    "Errors": [
        *("StlibError", "ImageError", "CheckpointError", "DeviceError", "JobError"),
        *("MissingExtraError", "WeightsError"),
    ],
}
MODULES = [
    *("batch", "course.check", "course.explain", "course.grid", "course.play", "course.quality"),
    *("course.show", "layers", "losses", "presets", "tiles"),
]


INTRODUCED = {
    "en": "# The package, function by function\n\nWhat `import stlib` brings.\n",
    "zh-CN": "# 软件包：逐个函数\n\n`import stlib` 带来的内容。说明取自源代码，是英文。\n",
}


def page(language: str) -> str:
    """Markdown, whose parts Sphinx fills with docstrings."""
    parts = [INTRODUCED[language]]
    for title, names in PUBLIC.items():
        parts.append(f"## {title}\n")
        parts += [directive(kind(name), f"stlib.{name}") for name in names]
    described = ", ".join(name for names in PUBLIC.values() for name in names)
    for module in MODULES:
        parts.append(f"## stlib.{module}\n")
        options = (":members:", f":exclude-members: {described}")
        parts.append(directive("automodule", f"stlib.{module}", *options))
    return "\n".join(parts) + "\n"


def kind(name: str) -> str:
    """Sphinx's directive for a public name."""
    found = getattr(stlib, name)
    if isinstance(found, type):
        return "autoclass"
    return "autofunction" if callable(found) else "autodata"


def directive(name: str, argument: str, *options: str) -> str:
    if name == "autoclass":
        options = (":members:",)
    lines = [f".. {name}:: {argument}", *(f"   {option}" for option in options)]
    return "```{eval-rst}\n" + "\n".join(lines) + "\n```\n"
