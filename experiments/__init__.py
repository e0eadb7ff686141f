"""The lab: findings of the course at the size people paint. `python -m experiments` runs it.

Each module asks one question and has a docstring that says what would refute the answer. It holds

- CASES: a dict for each measurement, of names and numbers, as JSON has them;
- SMALL: a case that takes seconds, which a test measures again;
- measure(case): its numbers, and its pictures.

`results(name)` loads what was measured.
"""

from experiments.bench import Case, Measured, Run, results

__all__ = ["Case", "Measured", "Run", "results"]
