"""Time a typed JSON request in this process: all of the service, and without each of its layers.

`layers.py` runs it in a project. Times are processor time, which a busy machine changes least.
"""

import asyncio
import gc
import logging
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

from app.main import create_app
from app.notes import router
from fastapi import FastAPI

BODY = b'{"text": "Hello"}'
HEADERS = [
    (b"host", b"127.0.0.1"),
    (b"content-type", b"application/json"),
    (b"content-length", str(len(BODY)).encode()),
]
CREATED = 201
REQUESTS = 100
ROUNDS = 60


def bare() -> FastAPI:
    """Make an application with this route and nothing else."""
    app = FastAPI()
    app.include_router(router)
    return app


def without(*layers: str) -> FastAPI:
    """Make the service without some of its middleware."""
    app = create_app()
    app.user_middleware = [each for each in app.user_middleware if each.cls.__name__ not in layers]
    return app


async def call(app: FastAPI) -> None:
    """Send one request."""
    sent = False

    async def receive() -> dict[str, object]:
        nonlocal sent
        if sent:
            await asyncio.Event().wait()
        sent = True
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message: dict[str, object]) -> None:
        if message.get("status", CREATED) != CREATED:
            raise ValueError(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/api/v1/notes",
        "raw_path": b"/api/v1/notes",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": HEADERS,
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    await app(scope, receive, send)


async def microseconds(app: FastAPI) -> float:
    """Send some requests, and give the processor time of one."""
    begun = time.process_time()
    for _ in range(REQUESTS):
        await call(app)
    return (time.process_time() - begun) / REQUESTS * 1_000_000


async def main() -> None:
    """Let all variants take turns, and print the medians."""
    layers = [each.cls.__name__ for each in create_app().user_middleware]
    variants: dict[str, Callable[[], FastAPI]] = {
        "bare": bare,
        "all": create_app,
        "no middleware": lambda: without(*layers),
        "no log line": create_app,
        **{f"no {layer}": (lambda layer=layer: without(layer)) for layer in layers},
    }
    turns: dict[str, list[float]] = {name: [] for name in variants}
    async with AsyncExitStack() as stack:
        apps = {name: make() for name, make in variants.items()}
        for app in apps.values():
            await stack.enter_async_context(app.router.lifespan_context(app))
        # what has been made for all variants is no work for the collector during one of them
        gc.collect()
        gc.freeze()
        for _ in range(ROUNDS):
            for name, app in apps.items():
                logging.getLogger().setLevel("WARNING" if name == "no log line" else "INFO")
                turns[name].append(await microseconds(app))
    for name, taken in turns.items():
        ratios = [each / whole for each, whole in zip(taken, turns["all"], strict=True)]
        less = 1 - statistics.median(ratios)
        sys.stderr.write(f"    {name:32} {statistics.median(taken):4.0f} us   {less:4.0%} less\n")


asyncio.run(main())
