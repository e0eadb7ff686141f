"""What does it bring to give memory back to the system at once? A run with glibc's variable set."""

import common
import ratios
import report
import run

# glibc gives blocks of 1 MB and more back as soon as they are freed
AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": str(2**20)}


def measure(
    sizes: tuple[int, ...] = (128, 256, 512, 768, 1024), rounds: int = 3, evaluations: int = 15
) -> dict:
    """Peak memory and seconds of a run of the fast solver, with and without the variable."""
    found = {}
    for size in sizes:
        what = {"method": "fast", **run.SQUARE, "size": size, "evaluations": evaluations}
        found[str(size)] = [
            {
                "kept": run.fresh("descent", **what),
                "at_once": run.fresh("descent", AT_ONCE, **what),
            }
            for _ in range(rounds)
        ]
    return {"sizes": found}


def table(found: dict) -> str:
    rows = []
    for size, rounds in found["sizes"].items():
        row = [f"{size} × {size}"]
        for what in ("peak", "seconds"):
            at_once = [r["at_once"][what] for r in rounds]
            kept = [r["kept"][what] for r in rounds]
            row.append(ratios.spread(ratios.over(at_once, kept)))
        rows.append(row)
    return report.table(["picture", "peak of the process, ×", "seconds, ×"], rows)


if __name__ == "__main__":
    common.answer(__file__, measure, table)
