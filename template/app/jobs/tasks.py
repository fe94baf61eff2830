"""All tasks of the service. This file is yours: add your own at the marked places."""

from taskiq.abc.broker import AsyncBroker

from app.jobs.purge import purge
from app.jobs.report import ReportRequest, write_report

# What `POST /jobs` takes: one model a task.
Submission = (
    ReportRequest
    # your own below, such as: | ThumbnailRequest
)


def add_tasks(broker: AsyncBroker) -> None:
    """Give each task the name that its requests have, and periodic ones the times to run (UTC)."""
    broker.register_task(write_report, "report")
    broker.register_task(purge, "purge", schedule=[{"cron": "17 * * * *"}])
    # your own below
