"""How long do import and weights take, for the first time in a process, beside pastiche?

Nothing heavy is imported here before the clock runs.
"""

import json
import subprocess
import sys
import time
from importlib.resources import files

import common
import ratios
import report

PACKAGES = ("stlib", "pastiche")


def measure(rounds: int = 5) -> dict:
    """`seconds` of each package, in turn, each in a fresh process."""
    found = []
    for _ in range(rounds):
        found.append({})
        for package in PACKAGES:
            output = subprocess.check_output([sys.executable, __file__, package])
            found[-1][package] = json.loads(output)
    return {"rounds": found}


def seconds(package: str) -> dict:
    """Seconds of `import` after `import torch`, and of the weights from their file to tensors."""
    import torch  # noqa: F401

    began = time.perf_counter()
    if package == "stlib":
        import stlib

        imported = time.perf_counter()
        stlib.load_weights("oxford")
    else:
        import pastiche.pastiche  # noqa: F401
        from pastiche.vgg19 import VGG19

        imported = time.perf_counter()
        weights = files("pastiche") / "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
        VGG19.from_quantized_bin(weights)
    return {"import": imported - began, "weights": time.perf_counter() - imported}


def table(found: dict) -> str:
    rows = []
    for package in PACKAGES:
        seconds = [[r[package][what] for r in found["rounds"]] for what in ("import", "weights")]
        rows.append([package, *map(ratios.spread, seconds)])
    return report.table(["package", "seconds of import", "seconds of weights"], rows)


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(seconds(sys.argv[1])))
    else:
        common.answer(__file__, measure, table)
