from collections.abc import Callable

from fastapi import APIRouter, Request
from fastapi.testclient import TestClient
from prometheus_client import generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.database.session import Session
from app.problems import ProblemError
from tests.telemetry.collector import Collector

Start = Callable[..., TestClient]

parcels = APIRouter(prefix="/parcels")


@parcels.get("")
async def find_parcels(session: Session, owner: str) -> list[str]:
    return list(await session.scalars(text("SELECT upper(:owner)"), {"owner": owner}))


@parcels.post("")
async def lose_parcels(session: Session, owner: str) -> None:
    try:
        await session.execute(text("SELECT upper(:owner), nowhere"), {"owner": owner})
    except SQLAlchemyError:
        raise ProblemError(409, "They are nowhere.") from None


@parcels.get("/metrics")
async def look_at_metrics(session: Session, request: Request) -> str:
    await session.execute(text("SELECT 1"))
    return generate_latest(request.app.state.metrics.registry).decode()


def test_statements_are_below_the_request_that_runs_them(
    collector: Collector, start: Start
) -> None:
    assert start(parcels).get("/parcels?owner=hunter2").json() == ["HUNTER2"]
    *_, statement, request = collector.trace()
    assert (statement.trace_id, statement.parent_id) == (request.trace_id, request.span_id)
    assert statement.name == "SELECT"
    assert statement.attributes["db.system.name"] in {"postgresql", "sqlite"}
    assert statement.attributes["db.operation.name"] == "SELECT"
    assert "upper(" in statement.attributes["db.query.text"]
    assert not statement.failed


def test_statements_that_fail_say_so_without_the_values(collector: Collector, start: Start) -> None:
    assert start(parcels).post("/parcels?owner=hunter2").status_code == 409
    *_, statement, request = collector.trace()
    assert statement.failed
    assert statement.attributes["error.type"]
    assert not request.failed
    assert "hunter2" not in statement.text + request.text


def test_statements_of_probes_leave_no_trace(collector: Collector, start: Start) -> None:
    client = start(parcels)
    assert client.get("/readyz").status_code == 200
    client.get("/parcels?owner=ann")
    spans = collector.trace()
    assert {span.trace_id for span in spans} == {spans[-1].trace_id}


def test_the_use_of_the_pool_is_measured(start: Start) -> None:
    client = start(parcels, database_pool_size=3, database_max_overflow=4)
    during = client.get("/parcels/metrics").json()
    assert 'db_client_connection_count{state="used"} 1.0' in during
    assert "db_client_connection_max 7.0" in during
    assert 'db_client_connection_count{state="used"} 0.0' in client.get("/metrics").text
