"""Run the experiments: python -m experiments [NAME …]. What is measured already is skipped."""

import argparse

from experiments import bench


def main() -> None:
    """Run those that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(bench.names()))
    options = parser.parse_args()
    unknown = set(options.names) - set(bench.names())
    if unknown:
        parser.error(
            f"no experiment {', '.join(sorted(unknown))}; there are {parser.format_help()}"
        )
    for name in options.names or bench.names():
        bench.perform(name, told=lambda line: print(line, flush=True))


if __name__ == "__main__":
    main()
