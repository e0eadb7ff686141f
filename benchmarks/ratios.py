"""What the measurements mean: ratios with their spread, from the parts of results.json alone."""

from collections.abc import Iterable
from statistics import median

NAMES = {
    "ours": "ours",
    "small_pages": "ours, in small pages",
    "usual": "our layers, the usual way",
    "pastiche": "pastiche, the package",
    "tutorial": "PyTorch tutorial's recipe",
    "gatys": "Gatys' notebook's recipe",
    "keras": "Keras example, in Keras",
    "fast": "ours, fast solver",
    "plain": "plain L-BFGS, history 100",
}


def spread(figures: list[float] | None) -> str:
    """A figure from several rounds: its median, and the lowest and the highest of them."""
    if figures is None:
        return "not reached"
    middle = f"{median(figures):.2f}"
    least, most = min(figures), max(figures)
    return middle if least == most else f"{middle} ({least:.2f}–{most:.2f})"


def over(numerators: Iterable[float], denominators: Iterable[float]) -> list[float]:
    """Their ratios, round by round."""
    return [a / b for a, b in zip(numerators, denominators, strict=True)]


def seconds(part: dict, recipe: str, size: int) -> list[float]:
    """Seconds per evaluation of a recipe in each round of part 1."""
    return [r[recipe][str(size)]["seconds"] for r in part["rounds"]]


def seconds_over(part: dict, recipe: str, other: str, size: int) -> list[float]:
    """Seconds per evaluation of a recipe over another's."""
    return over(seconds(part, recipe, size), seconds(part, other, size))


def recipes(part: dict) -> list[str]:
    """What was compared in part 1, ours first."""
    return [name for name in NAMES if name in part["rounds"][0]]


def arrival(run: dict, target: float) -> int | None:
    """How many evaluations at full size a run took to its target; None if it did not get there."""
    return next((n for n, loss in enumerate(run["losses"], 1) if loss <= target), None)


def modelled_seconds(evaluations: dict[str, int], pace: dict) -> float:
    """Evaluations of each number of pixels, each at the pace of a slice, and the slice's set-up."""
    stages = pace["stages"]
    return pace["set_up"] + sum(n * stages[size]["seconds"] for size, n in evaluations.items())


def evaluations_of(pair: dict, method: str) -> dict[str, int]:
    """How many evaluations of each number of pixels a run took: to the target, or in all."""
    run = pair["runs"][method]
    counts = {size: stage["evaluations"] for size, stage in run["stages"].items()}
    full = max(counts, key=int)
    counts[full] = arrival(run, pair["target"]) or counts[full]
    return counts


def time_ratio(pair: dict, evaluations: str = "plain") -> list[float] | None:
    """Time to the target of the fast solver over plain L-BFGS's; None if it was not reached.

    evaluations: "plain" gives plain L-BFGS our evaluations, "usual" those of the usual way.
    """
    if not pair["runs"]["fast"]["reached"]:
        return None
    fast, plain = evaluations_of(pair, "fast"), evaluations_of(pair, "plain")
    return over(
        [modelled_seconds(fast, s["fast"]) for s in pair["slices"]],
        [modelled_seconds(plain, s[evaluations]) for s in pair["slices"]],
    )


def clock(pair: dict, method: str) -> list[float]:
    """Seconds after each evaluation at full size, at the median pace of the slices."""
    counts = evaluations_of(pair, method)
    full = max(counts, key=int)
    return [
        median(modelled_seconds({**counts, full: n}, s[method]) for s in pair["slices"])
        for n in range(1, len(pair["runs"][method]["losses"]) + 1)
    ]


def per_pixel(part: dict) -> dict[str, list[float]]:
    """Microseconds per pixel of an evaluation at each size of part 4, in each round."""
    return {
        size: [1e6 * r[size]["seconds"] / r[size]["pixels"] for r in part["rounds"]]
        for size in part["rounds"][0]
    }


def pace_ratio(part: dict) -> list[float]:
    """Seconds per pixel at the slowest size over the fastest, without the smallest size."""
    rounds = list(zip(*list(per_pixel(part).values())[1:], strict=True))
    return over(map(max, rounds), map(min, rounds))


def above_torch(part: dict, run: str) -> float:
    """Bytes of peak memory beyond those of `import torch`."""
    return part["runs"][run]["peak"] - part["torch"]
