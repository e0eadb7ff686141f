"""Many pictures: jobs from a TOML file or a sweep, painted on a Dask cluster."""

from stlib.errors import needs_extra

with needs_extra("stlib.batch", "batch"):
    from stlib.batch.cluster import run, share_cores
from stlib.batch.forecasting import Forecast, forecast
from stlib.batch.jobs import (
    Job,
    JobError,
    Network,
    Painting,
    check_jobs,
    fingerprint,
    make_job,
    read_jobs,
    sweep,
)
from stlib.batch.report import Outcome, Report

__all__ = [
    "Forecast",
    "Job",
    "JobError",
    "Network",
    "Outcome",
    "Painting",
    "Report",
    "check_jobs",
    "fingerprint",
    "forecast",
    "make_job",
    "read_jobs",
    "run",
    "share_cores",
    "sweep",
]
