"""Many pictures: jobs from a TOML file or a sweep, painted on a Dask cluster."""

from stlib.errors import needs_extra

with needs_extra("stlib.batch", "batch"):
    from stlib.batch.cluster import Outcome, Report, run, share_cores
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

__all__ = [
    "Job",
    "JobError",
    "Network",
    "Outcome",
    "Painting",
    "Report",
    "check_jobs",
    "fingerprint",
    "make_job",
    "read_jobs",
    "run",
    "share_cores",
    "sweep",
]
