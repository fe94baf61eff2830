"""Limit the whole service, and tell callers what is left to them."""

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.health import HEALTH_PATHS
from app.limits.addresses import ClientAddresses
from app.limits.callers import caller_of
from app.limits.limiter import Limiter, Usage, limiter_of
from app.limits.problems import TooManyRequestsError
from app.limits.settings import LimitSettings
from app.openapi import ASSETS_PATH, OPENAPI_PATH
from app.problems import problem_response
from app.redis import RedisSettings
from app.routes import path_of

UNLIMITED_PATHS = HEALTH_PATHS | {OPENAPI_PATH, "/docs", "/redoc"}
TRY_AGAIN_LATER = 1013


def add_limits(app: FastAPI, settings: LimitSettings) -> None:
    """Prepare what counts, and what tells callers apart."""
    app.state.client_addresses = ClientAddresses(settings.trusted_proxies)
    app.state.limiter = Limiter()


def share_limits(app: FastAPI, settings: RedisSettings) -> None:
    """Count together with the other processes of the service, if Redis is set."""
    if app.state.redis_watch:
        app.state.limiter.share(app.state.redis_watch, settings.redis_namespace)


def limits_middleware(settings: LimitSettings) -> Middleware:
    """Give every caller a number of requests, whatever they are for."""
    return Middleware(Limits, settings=settings)


class Limits:
    """Count requests and WebSockets that are opened, before anything is done for them."""

    def __init__(self, app: ASGIApp, settings: LimitSettings) -> None:
        self.app = app
        self.limit = settings.rate_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan" or is_unlimited(path_of(scope)):
            await self.app(scope, receive, send)
            return

        async def send_with_usages(message: Message) -> None:
            if message["type"] == "http.response.start":
                describe_usages(MutableHeaders(scope=message), usages_of(scope))
            await send(message)

        usage = await limiter_of(scope).hit(self.limit, "default", caller_of(scope))
        usages_of(scope)["default"] = usage
        if usage.allowed:
            await self.app(scope, receive, send_with_usages)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": TRY_AGAIN_LATER})
        else:
            response = problem_response(scope, TooManyRequestsError(usage))
            await response(scope, receive, send_with_usages)


def is_unlimited(path: str) -> bool:
    """Whether a path is for the platform, or for those who read how to call."""
    return path in UNLIMITED_PATHS or path.startswith(f"{ASSETS_PATH}/")


def usages_of(scope: Scope) -> dict[str, Usage]:
    """Find what the request has used of each limit so far, by the limit's name."""
    usages: dict[str, Usage] = scope.setdefault("state", {}).setdefault("usages", {})
    return usages


def describe_usages(headers: MutableHeaders, usages: dict[str, Usage]) -> None:
    """Tell each limit, and what is left of it (draft-ietf-httpapi-ratelimit-headers-10)."""
    headers["RateLimit-Policy"] = ", ".join(
        f'"{name}";q={usage.limit.amount};w={usage.limit.get_expiry()}'
        for name, usage in usages.items()
    )
    headers["RateLimit"] = ", ".join(
        f'"{name}";r={usage.remaining};t={usage.reset_after}' for name, usage in usages.items()
    )
