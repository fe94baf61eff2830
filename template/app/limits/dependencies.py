"""Limits of single routes."""

from fastapi import Depends, Request, params
from limits import parse

from app.limits.callers import caller_of
from app.limits.limiter import limiter_of
from app.limits.middleware import usages_of
from app.limits.problems import TooManyRequestsError


def rate_limit(text: str) -> params.Depends:
    """Limit each caller at a route: `@router.get(..., dependencies=[rate_limit("5/minute")])`.

    It is counted beside the limit of the whole service. On a router or several routes, each route
    has its own count.
    """
    limit = parse(text)

    async def require_some_left(request: Request) -> None:
        endpoint = request.scope["endpoint"]
        name = f"{endpoint.__module__}.{endpoint.__qualname__}"
        usage = await limiter_of(request.scope).hit(limit, name, caller_of(request.scope))
        usages_of(request.scope)[text] = usage
        if not usage.allowed:
            raise TooManyRequestsError(usage)

    dependency: params.Depends = Depends(require_some_left)
    return dependency
