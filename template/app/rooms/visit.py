"""One visit of a client to a room, from its admission to the reason of its end."""

import asyncio
from collections.abc import Coroutine, Iterable
from functools import partial
# {% if not jwt_auth %}
from uuid import uuid4
# {% endif %}

import structlog
from fastapi import WebSocketDisconnect

from app.rooms.closing import CloseCode, ClosingError
from app.rooms.connection import Connection
from app.rooms.hub import Hub
# {% if jwt_auth %}
from app.rooms.login import Login
# {% endif %}
from app.rooms.schemas import Member

logger = structlog.stdlib.get_logger(__name__)


async def visit(
    connection: Connection,
    hub: Hub,
    room: str,
    name: str,
    # {% if jwt_auth %}
    login: Login,
    # {% endif %}
) -> int:
    """Talk in the room until either side ends the connection, and return the close code."""
    end: ClosingError | WebSocketDisconnect
    end = ClosingError(CloseCode.INTERNAL_ERROR, "The service failed.")
    with hub.presence(connection):
        try:
            # {% if not jwt_auth %}
            member = Member(id=uuid4(), name=name)
            # {% else %}
            member = Member(id=login.require_user().id, name=name)
            # {% endif %}
            with hub.admission():
                async with hub.membership(room, member, connection):
                    await together(
                        # {% if jwt_auth %}
                        login.watch(),
                        # {% endif %}
                        connection.write(),
                        connection.notice_silence(),
                        connection.wait_for_end(),
                        connection.listen(partial(hub.say, room, member)),
                    )
        except (ClosingError, WebSocketDisconnect) as reason:
            end = reason
        except Exception:
            logger.exception("unexpected_error")
        if isinstance(end, ClosingError):
            await connection.close(end)
    return end.code


async def together(*activities: Coroutine[None, None, None]) -> None:
    """Run all until one fails; end the others, and raise why it failed.

    An asyncio.TaskGroup that is cancelled by a scope of AnyIO, as Starlette's test client does it,
    while one of its tasks fails, cancels anew in its own name: the scope lets that pass, as if
    somebody else had meant it. This leaves the scope's cancellation as it is.
    """
    tasks = [asyncio.create_task(activity) for activity in activities]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await until_done(tasks)
    failures = [task.exception() for task in (*done, *tasks) if not task.cancelled()]
    for failure in filter(None, failures):
        raise failure


async def until_done(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Wait for the tasks, however often the wait is cancelled; then let that count."""
    cancelled: asyncio.CancelledError | None = None
    while running := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(running)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
