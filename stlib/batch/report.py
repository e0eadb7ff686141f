"""What became of the jobs of a batch: a short table for people, a CSV file for the rest."""

import csv
import io
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from stlib import _files
from stlib._language import tr
from stlib.errors import JobError, one_line, reason, shown

ROWS = 20  # that a report shows at most


@dataclass(frozen=True)
class Outcome:
    """What became of one job.

    status: "done", "skipped" (there already), "failed" or "cancelled". note: why, or a remark, in
        one sentence.
    seconds: that the painting took on its worker. attempts: how often a worker began it; above 1
        when one was lost.
    """

    output: str
    status: str = "cancelled"
    note: str = ""
    seconds: float = 0.0
    attempts: int = 0


@dataclass(frozen=True)
class Report:
    """What `run` returns; print it.

    outcomes: one per job, in their order. seconds: of it all. stopped: why the batch ended before
        its end, in one sentence; "" when it did not, or when the user interrupted it.
    """

    outcomes: list[Outcome]
    seconds: float
    stopped: str = ""

    def count(self, status: str) -> int:
        """How many jobs have this status."""
        return sum(outcome.status == status for outcome in self.outcomes)

    def __str__(self) -> str:
        """All jobs when they are few, else those with a note; then how many there are of each."""
        few = len(self.outcomes) <= ROWS
        told = self.outcomes if few else [outcome for outcome in self.outcomes if outcome.note]
        lines = _table(told[:ROWS]) if told else []
        if len(told) > ROWS:
            lines.append(tr("… and {count} more with a note").format(count=len(told) - ROWS))
        words = {
            "done": tr("{count} done"),
            "skipped": tr("{count} skipped"),
            "failed": tr("{count} failed"),
            "cancelled": tr("{count} cancelled"),
        }
        counts = [
            word.format(count=self.count(status))
            for status, word in words.items()
            if self.count(status)
        ]
        jobs = tr(", ").join(counts) or tr("no jobs")
        lines.append(tr("{jobs} in {seconds:.0f} s").format(jobs=jobs, seconds=self.seconds))
        return "\n".join(lines)

    def save(self, path: str | Path) -> None:
        """Write a CSV file with one row for each job; its columns are the fields of `Outcome`.

        A file that is there is replaced; the command line refuses to.
        Raises JobError when it cannot be written.
        """
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, [field.name for field in fields(Outcome)])
        table.writeheader()
        table.writerows(map(asdict, self.outcomes))
        target = check_report_path(path)
        try:
            _files.replace(target, text.getvalue().encode("utf-8"))
        except OSError as error:
            raise JobError(
                tr("the report {path} cannot be saved: {why}.").format(
                    path=one_line(path), why=reason(error)
                )
            ) from None


def check_report_path(path: str | Path) -> Path:
    """The file that `Report.save` would write.

    Raises JobError when it cannot, or when the name does not end in .csv.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise JobError(
            tr("path is {path}: give the report a name such as report.csv.").format(
                path=shown(path)
            )
        )
    if Path(path).suffix.lower() != ".csv":
        raise JobError(
            tr("the report {path} is not named .csv: give it a name such as report.csv.").format(
                path=one_line(path)
            )
        )
    try:
        return _files.writable(path, "report.csv")
    except ValueError as error:
        raise _unsaved(path, error) from None


def _unsaved(path: str | Path, why: object) -> JobError:
    return JobError(
        tr("the report {path} cannot be saved: {why}").format(path=one_line(path), why=why)
    )


def _table(outcomes: list[Outcome]) -> list[str]:
    names = [one_line(outcome.output) for outcome in outcomes]
    width = max(map(len, names), default=0)
    lines = [f"{'output':<{width}}  status     seconds  attempts"]
    for name, outcome in zip(names, outcomes, strict=True):
        seconds = f"{outcome.seconds:7.1f}" if outcome.seconds else " " * 7
        attempts = f"{outcome.attempts:8d}" if outcome.attempts else " " * 8
        line = f"{name:<{width}}  {outcome.status:<9}  {seconds}  {attempts}"
        lines.append(f"{line}  {outcome.note}".rstrip())
    return lines
