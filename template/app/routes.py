"""The name of a route, which is the same for all requests that it serves."""

from starlette.types import Scope


def route_of(scope: Scope) -> str | None:
    """Name the route as it is written in the code, without what the caller put into the path.

    A path that leads to no route of FastAPI, but to a file or nowhere, has none.
    """
    # An included router's prefix is only known to the effective route that FastAPI leaves here.
    route = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    return getattr(route, "path", None)
