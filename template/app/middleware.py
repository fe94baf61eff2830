"""What every request passes through, from the outside in."""

import re
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

from app.environment import Environment
from app.features import feature_middleware
from app.health import HEALTH_PATHS
from app.problems import ProblemError, problem_response
from app.routes import route_of
from app.settings import Settings

REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,128}")
ONE_YEAR = 365 * 24 * 60 * 60

logger = structlog.stdlib.get_logger(__name__)


def add_middleware(app: FastAPI, settings: Settings) -> None:
    """Wrap the service; the first in the list sees a request first."""
    app.user_middleware = [
        Middleware(RequestContext),
        Middleware(SecurityHeaders, policy=security_policy(settings)),
        Middleware(PlainTextProblems),
        *feature_middleware(settings),
        Middleware(UnexpectedErrors),
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
                log = logger.debug if scope["path"] in HEALTH_PATHS else logger.info
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


class PlainTextProblems:
    """Rewrite errors in plain text, which Starlette's own middleware sends, as problems."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        plain_error: Message | None = None
        text = bytearray()

        async def send_problem(message: Message) -> None:
            nonlocal plain_error
            if message["type"] == "http.response.start" and is_plain_error(message):
                plain_error = message
            elif plain_error and message["type"] == "http.response.body":
                text.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    response = problem_response(scope, problem_from(plain_error, text.decode()))
                    await response(scope, receive, send)
            else:
                await send(message)

        await self.app(scope, receive, send_problem)


def is_plain_error(message: Message) -> bool:
    """Whether a response starts that is an error in plain text."""
    if message["status"] < 400:
        return False
    return Headers(scope=message).get("Content-Type", "").startswith("text/plain")


def problem_from(plain_error: Message, text: str) -> ProblemError:
    """Keep the status, the text, and the headers that do not describe the old body."""
    headers = MutableHeaders(scope=plain_error)
    del headers["Content-Type"], headers["Content-Length"]
    return ProblemError(plain_error["status"], text, headers=headers)


class UnexpectedErrors:
    """Log what nobody foresaw, and answer 500 without a word about the inside.

    It stands inside the middleware of the features, so that a browser may read the answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        response_started = False

        async def watched_send(message: Message) -> None:
            nonlocal response_started
            response_started = True
            await send(message)

        try:
            await self.app(scope, receive, watched_send)
        except Exception:
            logger.exception("unexpected_error")
            if response_started:
                raise
            problem = ProblemError(500, "The service failed; its log tells why.")
            await problem_response(scope, problem)(scope, receive, send)


class TrustedHosts(TrustedHostMiddleware):
    """Refuse requests for other hosts, save health probes, which address a machine by its IP."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        serve = self.app if scope.get("path") in HEALTH_PATHS else super().__call__
        await serve(scope, receive, send)
