"""Keep what readers are answered, spare them what they have, and notice writes."""

from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.cache.answers import Answers, Shelf
from app.cache.conditions import matches, tag_of


@dataclass
class Turn:
    """What a request wants of the cache: its route says so (see dependencies.py)."""

    answers: Answers
    shelf: Shelf
    url: str
    reads: bool
    version: bytes | None = None
    found: bool = False


class CachedAnswers:
    """Do for each request what its route wants of the cache."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        start: Message | None = None
        body = bytearray()

        async def send_with_turn(message: Message) -> None:
            nonlocal start
            turn: Turn | None = scope.get("state", {}).get("turn")
            if turn is None:
                await send(message)
            elif start is not None:
                body.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    await answer_reader(scope, turn, start, bytes(body), send)
            elif turn.reads and message.get("status") == 200:
                start = message
            else:
                if not turn.reads and message["type"] == "http.response.start":
                    # A write has been committed by now, or undone: see get_session.
                    await turn.answers.void(turn.shelf)
                await send(message)

        await self.app(scope, receive, send_with_turn)


async def answer_reader(scope: Scope, turn: Turn, start: Message, body: bytes, send: Send) -> None:
    """Send an answer, or only its headers if the reader has it already, and keep it."""
    tag = tag_of(body)
    headers = MutableHeaders(scope=start)
    headers["ETag"] = tag
    # {% if not jwt_auth %}
    # Whoever stores it asks each time whether it is still good.
    headers["Cache-Control"] = "no-cache"
    # {% else %}
    # Browsers may store it, but ask each time whether it is still good; nobody between may.
    headers["Cache-Control"] = "private, no-cache"
    headers.add_vary_header("Authorization")
    # {% endif %}
    headers["Cache-Status"] = "app; hit" if turn.found else "app; fwd=miss"
    condition = ", ".join(Headers(scope=scope).getlist("If-None-Match"))
    if matches(condition, tag):
        del headers["Content-Length"], headers["Content-Type"]
        await send({**start, "status": 304, "headers": headers.raw})
        await send({"type": "http.response.body", "body": b""})
    else:
        await send(start)
        await send({"type": "http.response.body", "body": body})
    if turn.version and not turn.found:
        await turn.answers.keep(turn.shelf, turn.url, turn.version, body)
