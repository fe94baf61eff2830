"""Tell the platform whether to restart the service, and whether to send it requests."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Depends, FastAPI, Request
from pydantic import BaseModel

from app.problems import InvalidPart, ProblemError, problem_responses

# The platform calls these by the address of the machine, and often.
HEALTH_PATHS = frozenset(
    {
        "/livez",
        # {% if telemetry %}
        "/metrics",
        # {% endif %}
        "/readyz",
    }
)
RETRY_AFTER = {"Retry-After": "5"}

logger = structlog.stdlib.get_logger(__name__)
router = APIRouter(tags=["health"])

Check = Callable[[], Awaitable[object]]
Preparation = Callable[[], Awaitable[None]]


@dataclass
class Readiness:
    """What must work for the service to be of use, and whether it is about to stop.

    A check is named in `checks`; it fails by raising, or by taking longer than
    `time_limit` seconds. What is named in `optional` may fail, too: the service goes on without.
    What is in `before_stop` is done, in order, before the server stops.
    """

    checks: dict[str, Check] = field(default_factory=dict)
    optional: set[str] = field(default_factory=set)
    time_limit: float = 2.0
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    before_stop: list[Preparation] = field(default_factory=list)

    async def failures(self) -> list[str]:
        """Run all checks side by side, and name those that fail."""
        passed = await asyncio.gather(*(self.passes(name) for name in self.checks))
        return [name for name, ok in zip(self.checks, passed, strict=True) if not ok]

    async def passes(self, name: str) -> bool:
        """Run one check."""
        try:
            async with asyncio.timeout(self.time_limit):
                await self.checks[name]()
        except Exception as error:  # noqa: BLE001  whatever it is, the service is not ready
            logger.warning("readiness_check_failed", check=name, error=repr(error))
            return False
        return True


def get_readiness(request: Request) -> Readiness:
    """Find the readiness of the service that the request came to."""
    readiness: Readiness = request.app.state.readiness
    return readiness


CurrentReadiness = Annotated[Readiness, Depends(get_readiness)]


class LivenessReport(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class ReadinessReport(BaseModel):
    """Every check has passed, save those that the service can do without."""

    status: Literal["ok", "degraded"]
    checks: dict[str, Literal["ok", "failed"]]


def add_health(app: FastAPI) -> None:
    """Serve the health of the service; features add to `app.state.readiness.checks`."""
    app.state.readiness = Readiness()
    app.include_router(router)


@router.get("/livez")
async def livez() -> LivenessReport:
    """Answer, to show that the process is alive; a failure calls for a restart."""
    return LivenessReport()


@router.get("/readyz", responses=problem_responses(503))
async def readyz(readiness: CurrentReadiness) -> ReadinessReport:
    """Check what the service depends on; a failure calls for sending requests elsewhere."""
    if readiness.draining.is_set():
        raise ProblemError(503, "The service is shutting down.", headers=RETRY_AFTER)
    failures = await readiness.failures()
    if not readiness.optional.issuperset(failures):
        raise ProblemError(
            503,
            "The service cannot reach what it depends on.",
            headers=RETRY_AFTER,
            errors=[InvalidPart(detail="failed", pointer=f"#/checks/{name}") for name in failures],
        )
    return ReadinessReport(
        status="degraded" if failures else "ok",
        checks={name: "failed" if name in failures else "ok" for name in readiness.checks},
    )
