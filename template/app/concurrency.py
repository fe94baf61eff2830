"""Run tasks side by side, and end them for certain."""

import asyncio
from collections.abc import Coroutine
from time import monotonic
from typing import Any

PATIENCE_SECONDS = 0.2
"""For how long a task that is cancelled may tidy up before it is cancelled anew."""


async def together(*activities: Coroutine[Any, Any, object]) -> None:
    """Run all until one is done or fails; end the others, and raise why it failed.

    An asyncio.TaskGroup cancels its tasks once, which is not enough (see `end`). And when a scope
    of AnyIO cancels it while one of its tasks fails, as Starlette's test client does, it cancels
    anew in its own name: the scope lets that pass, as if somebody else had meant it.
    """
    tasks = [asyncio.create_task(activity) for activity in activities]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end(*tasks)
    failures = [task.exception() for task in (*done, *tasks) if not task.cancelled()]
    for failure in filter(None, failures):
        raise failure


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel the tasks until they are done; a cancellation of the wait counts afterwards.

    Once is not enough: before Python 3.12, `asyncio.wait_for`, with which redis-py sends, swallows
    a cancellation that comes when it is just done.
    """
    cancelled: asyncio.CancelledError | None = None
    again = 0.0
    while running := [task for task in tasks if not task.done()]:
        now = monotonic()
        if now >= again:
            for task in running:
                task.cancel()
            again = now + PATIENCE_SECONDS
        try:
            await asyncio.wait(running, timeout=again - now)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
