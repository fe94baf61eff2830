import json
from collections.abc import Callable

import pytest
import structlog
from fastapi import APIRouter
from fastapi.testclient import TestClient

from tests.telemetry.collector import Collector

logger = structlog.stdlib.get_logger(__name__)
parcels = APIRouter(prefix="/parcels")


@parcels.get("")
async def list_parcels() -> None:
    logger.info("parcels_listed")


def test_log_lines_name_the_trace_that_the_collector_gets(
    collector: Collector, start: Callable[..., TestClient], capsys: pytest.CaptureFixture[str]
) -> None:
    start(parcels).get("/parcels")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [span] = collector.spans(1)
    events = {line["event"]: line for line in lines if "trace_id" in line}
    assert set(events) == {"parcels_listed", "request"}
    for line in events.values():
        assert (line["trace_id"], line["span_id"]) == (span.trace_id, span.span_id)
