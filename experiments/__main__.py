"""Run the experiments: python -m experiments [NAME …]. What is measured already is skipped."""

import argparse
from contextlib import nullcontext

from experiments import bench


def main() -> None:
    """Run those that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(bench.names()))
    parser.add_argument("--workers", type=int, metavar="N", help="measure N cases at a time")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="measure on a Dask cluster")
    options = parser.parse_args()
    unknown = set(options.names) - set(bench.names())
    if unknown:
        parser.error(
            f"no experiment {', '.join(sorted(unknown))}; there are {parser.format_help()}"
        )
    alone = options.workers is None and options.scheduler is None
    cluster = nullcontext(map) if alone else bench.on_cluster(options.workers, options.scheduler)
    with cluster as mapped:
        for name in options.names or bench.names():
            bench.perform(name, told=lambda line: print(line, flush=True), mapped=mapped)


if __name__ == "__main__":
    main()
