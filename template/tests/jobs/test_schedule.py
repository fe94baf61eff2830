import json
import time
from collections.abc import Callable
from datetime import (
    UTC,
    datetime,
    # {% if jwt_auth %}
    timedelta,
    # {% endif %}
)

import pytest
from fastapi.testclient import TestClient
# {% if jwt_auth %}
from sqlalchemy import select, update
# {% endif %}
from taskiq.schedule_sources import LabelScheduleSource

# {% if jwt_auth %}
from app.auth.models import RefreshToken, TokenFamily
# {% endif %}
from app.jobs import running
from app.jobs.broker import JobBroker
from app.jobs.schedule import JobScheduler
# {% if jwt_auth %}
from tests.auth.accounts import open_account
from tests.database.databases import execute
# {% endif %}
from tests.jobs.conftest import Shop
from tests.jobs.workshop import submit


def send_what_is_due(client: TestClient) -> None:
    """Do what a scheduler does when the time of every periodic job has come."""
    broker: JobBroker = client.app.state.jobs  # type: ignore[attr-defined]

    async def send() -> None:
        source = LabelScheduleSource(broker)
        await source.startup()
        for job in await source.get_schedules():
            await JobScheduler(broker).on_ready(source, job)

    assert client.portal
    client.portal.call(send)


def runs(capsys: pytest.CaptureFixture[str], task: str) -> int:
    """Count the lines about runs of a task, once there is one and nothing more happens."""
    count, deadline = 0, time.monotonic() + 10
    while time.monotonic() < deadline:
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        new = [line for line in lines if line["event"] == "job" and line["task"] == task]
        count += len(new)
        if count and not new:
            break
        time.sleep(0.2)
    return count


def test_two_schedulers_make_one_job(open_shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    client = open_shop()
    # Both belong to the same minute.
    while datetime.now(UTC).second > 55:
        time.sleep(0.1)
    send_what_is_due(client)
    send_what_is_due(client)
    assert runs(capsys, "purge") == 1


def test_a_full_queue_delays_what_is_due(
    open_shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    client = open_shop(job_queue_limit=1)
    submit(client, "sleep", 0.2)
    send_what_is_due(client)
    assert runs(capsys, "purge") == 1


def test_the_end_of_the_schedule_is_told_at_once(
    start: Callable[..., TestClient],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def run_scheduler_task(_scheduler: JobScheduler) -> None:
        raise RuntimeError("The clock stands still.")

    monkeypatch.setattr(running, "run_scheduler_task", run_scheduler_task)
    assert start(redis_url="").get("/livez").status_code == 200
    lines = map(json.loads, capsys.readouterr().out.splitlines())
    [line] = [line for line in lines if line["level"] == "error"]
    assert line["event"] == "jobs_run_no_more"
    assert "The clock stands still." in line["exception"]
# {% if jwt_auth %}


def test_the_purge_deletes_what_has_expired_and_nothing_else(
    open_shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    client = open_shop()
    past = datetime.now(UTC) - timedelta(seconds=1)
    [(over,)] = execute(select(TokenFamily.id))
    open_account(client, "bob@example.com")
    open_account(client, "eve@example.com")
    _, bobs, eves = [row for (row,) in execute(select(TokenFamily.id).order_by(TokenFamily.id))]
    execute(
        update(TokenFamily).where(TokenFamily.id == over).values(expires_at=past),
        update(RefreshToken).where(RefreshToken.family_id == bobs).values(expires_at=past),
        update(RefreshToken)
        .where(RefreshToken.family_id == eves)
        .values(expires_at=past, rotated_at=past),
    )
    send_what_is_due(client)
    assert runs(capsys, "purge") == 1
    assert set(execute(select(TokenFamily.id))) == {(bobs,), (eves,)}
    assert execute(select(RefreshToken.family_id)) == [(eves,)]
# {% endif %}
