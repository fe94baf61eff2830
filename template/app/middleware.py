"""What every request passes through, from the outside in."""

import asyncio
import json
import re
from contextlib import suppress
from time import perf_counter
from uuid import uuid4

import structlog
from fastapi import FastAPI
from secure import (
    CacheControl,
    ContentSecurityPolicy,
    CrossOriginOpenerPolicy,
    CrossOriginResourcePolicy,
    ReferrerPolicy,
    Secure,
    StrictTransportSecurity,
    XContentTypeOptions,
    XFrameOptions,
)
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from app.environment import Environment
from app.features import feature_middleware
from app.health import HEALTH_PATHS
from app.problems import ProblemError, problem_from, problem_response, title_of
from app.proxies import BehindProxy
from app.routes import methods_of, path_of, route_of
from app.settings import Settings

REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,128}")
ONE_YEAR = 365 * 24 * 60 * 60
# The media types of errors that may be rewritten.
FOREIGN_TYPES = frozenset({"", "application/json", "text/html", "text/plain"})
CHARSET = re.compile(r"charset=\"?([A-Za-z0-9_.:-]+)", re.IGNORECASE)

logger = structlog.stdlib.get_logger(__name__)


def add_middleware(app: FastAPI, settings: Settings) -> None:
    """Wrap the service; the first in the list sees a request first."""
    app.root_path = settings.root_path
    app.user_middleware = [
        Middleware(RequestContext),
        Middleware(BehindProxy, router=app.router, trusted_proxies=settings.trusted_proxies),
        Middleware(SecurityHeaders, policy=security_policy(settings)),
        Middleware(HeadRequests),
        Middleware(ForeignErrors),
        *feature_middleware(settings),
        Middleware(UnexpectedErrors),
        Middleware(WebSocketErrors),
        Middleware(TrustedHosts, allowed_hosts=settings.allowed_hosts, www_redirect=False),
        Middleware(RequestBodyLimitMiddleware, max_body_size=settings.max_body_bytes),
    ]


class RequestContext:
    """Give each request an id, and write one line about it when it is done."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        request_id = request_id_of(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        status: int | None = None
        started = finished = perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status, finished
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)
            finished = perf_counter()

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, send_with_id)
            finally:
                log = logger.debug if path_of(scope) in HEALTH_PATHS else logger.info
                log(
                    "request",
                    method=scope["method"],
                    route=route_of(scope),
                    status=status,
                    duration_ms=round((finished - started) * 1000, 2),
                )


def request_id_of(scope: Scope) -> str:
    """Take the caller's request id if it is harmless, or make one."""
    request_id = Headers(scope=scope).get("X-Request-ID", "")
    return request_id if REQUEST_ID_PATTERN.fullmatch(request_id) else uuid4().hex


class SecurityHeaders:
    """Set the headers of the policy, save those that a route has set for itself."""

    def __init__(self, app: ASGIApp, policy: Secure) -> None:
        self.app = app
        self.headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in policy.headers.items()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                present = {name for name, _ in headers}
                headers += [each for each in self.headers if each[0] not in present]
                message["headers"] = headers
            await send(message)

        await self.app(scope, receive, send_with_headers)


def security_policy(settings: Settings) -> Secure:
    """Allow a browser nothing that an API does not need."""
    deployed = settings.environment in {Environment.STAGING, Environment.PRODUCTION}
    return Secure(
        cache=CacheControl().no_store(),
        coop=CrossOriginOpenerPolicy().same_origin(),
        corp=CrossOriginResourcePolicy().same_origin(),
        csp=ContentSecurityPolicy().default_src("'none'").frame_ancestors("'none'"),
        hsts=StrictTransportSecurity().max_age(ONE_YEAR) if deployed else None,
        referrer=ReferrerPolicy().no_referrer(),
        xcto=XContentTypeOptions().nosniff(),
        xfo=XFrameOptions().deny(),
    )


class HeadRequests:
    """Serve HEAD as GET, and send the headers alone (RFC 9110, section 9.3.2).

    A route that is declared for HEAD gets the request as it is.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        sent = asyncio.Event()
        asked = False

        async def receive_end() -> Message:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await sent.wait()
            return {"type": "http.disconnect"}

        async def send_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope["method"] = "HEAD"
                await send(message)
                await send({"type": "http.response.body"})
                sent.set()
            # A stream that never waits would leave no time to the task that ends it.
            await asyncio.sleep(0)

        if "HEAD" not in methods_of(scope):
            scope["method"] = "GET"
        # So that a stream, which may have no end, listens for the client that has left.
        scope["asgi"] = {**scope.get("asgi", {}), "spec_version": "2.3"}
        try:
            await self.app(scope, receive_end, send_headers)
        finally:
            scope["method"] = "HEAD"


class ForeignErrors:
    """Rewrite errors of other applications and of middleware as problems.

    They are text, HTML, FastAPI's `{"detail": ...}`, or have no body; other JSON is left as it is.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        start: Message | None = None
        body = bytearray()

        async def send_problem(message: Message) -> None:
            nonlocal start
            if start is None and is_foreign_error(message):
                start = message
            elif start is None:
                await send(message)
            else:
                body.extend(message.get("body", b""))
                if message.get("more_body", False):
                    return
                if error := read_error(start, bytes(body)):
                    await problem_response(scope, error)(scope, receive, send)
                else:
                    await send(start)
                    await send({**message, "body": bytes(body)})

        await self.app(scope, receive, send_problem)


def is_foreign_error(message: Message) -> bool:
    """Whether a response starts that is an error, and perhaps no problem."""
    if not message["type"].endswith("http.response.start") or message["status"] < 400:
        return False
    headers = Headers(scope=message)
    return media_type_of(headers) in FOREIGN_TYPES or headers.get("Content-Length") == "0"


def read_error(start: Message, body: bytes) -> ProblemError | None:
    """Read the error from a response; return nothing to leave the response as it is."""
    headers = Headers(scope=start)
    media_type = media_type_of(headers)
    detail: object = None
    if "Content-Encoding" in headers or media_type == "text/html":
        pass
    elif media_type != "application/json":
        detail = decode(body, headers)
    elif body:
        with suppress(ValueError):
            detail = json.loads(body)
        if isinstance(detail, dict) and detail.keys() == {"detail"}:
            detail = detail["detail"]
        elif isinstance(detail, dict | list):
            return None
    return problem_from(start["status"], detail, headers)


def media_type_of(headers: Headers) -> str:
    """Give the media type without its parameters."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()


def decode(body: bytes, headers: Headers) -> str:
    """Read text in whichever encoding; what cannot be read is replaced."""
    charset = CHARSET.search(headers.get("Content-Type", ""))
    with suppress(LookupError):
        return body.decode(charset[1] if charset else "utf-8", errors="replace")
    return body.decode(errors="replace")


class UnexpectedErrors:
    """Log unexpected errors, and respond with 500, without internal details.

    It stands inside the middleware of the features, so that a browser may read the answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        response_started = response_complete = False

        async def watched_send(message: Message) -> None:
            nonlocal response_started, response_complete
            response_started = True
            await send(message)
            if message["type"] == "http.response.body":
                response_complete = not message.get("more_body", False)

        try:
            await self.app(scope, receive, watched_send)
        except Exception:
            logger.exception("unexpected_error")
            if not response_started:
                await problem_response(scope, unexpected_error())(scope, receive, send)
            elif not response_complete:
                raise


class WebSocketErrors:
    """Log unexpected errors of WebSockets: close with 1011, or respond with 500 before that."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket."""
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return

        conversation = Conversation(receive, send)
        try:
            await self.app(scope, conversation.receive, conversation.send)
        except WebSocketDisconnect:
            # The client has left; an endpoint need not handle this.
            return
        except Exception:
            logger.exception("unexpected_error")
            if not conversation.ended:
                with suppress(OSError):
                    response = problem_response(scope, unexpected_error())
                    await response(scope, receive, conversation.send)


class Conversation:
    """The messages of a WebSocket; once it is open, what would be a response closes it."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self.receive_message = receive
        self.send_message = send
        self.accepted = self.ended = False

    async def receive(self) -> Message:
        """Receive, and notice when the client has left."""
        message = await self.receive_message()
        self.ended = self.ended or message["type"] == "websocket.disconnect"
        return message

    async def send(self, message: Message) -> None:
        """Send, and notice when the connection opens or ends."""
        kind = message["type"]
        if kind == "websocket.accept":
            self.accepted = True
        elif kind != "websocket.send":
            self.ended = True
        if self.accepted and kind == "websocket.http.response.start":
            await self.send_message(close_instead_of(message["status"]))
        elif not self.accepted or kind != "websocket.http.response.body":
            await self.send_message(message)


def unexpected_error() -> ProblemError:
    """Describe an error that only the log explains."""
    return ProblemError(500, "The service failed; its log tells why.")


def close_instead_of(status: int) -> Message:
    """Write the status of a response as a close code (RFC 6455, section 7.4, and its registry)."""
    code = 1013 if status == 503 else 1011 if status >= 500 else 1008
    return {"type": "websocket.close", "code": code, "reason": title_of(status)}


class TrustedHosts(TrustedHostMiddleware):
    """Refuse requests for other hosts, save health probes, which address a machine by its IP."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        is_probe = scope["type"] == "http" and path_of(scope) in HEALTH_PATHS
        serve = self.app if is_probe else super().__call__
        await serve(scope, receive, send)
