"""The route of a request: its name, its path, and the methods that this allows."""

from fastapi.routing import iter_route_contexts
from starlette.routing import Match
from starlette.types import Scope


def route_of(scope: Scope) -> str | None:
    """Name the route as it is written in the code, without what the caller put into the path.

    A path that leads to no route of FastAPI, but to a file or nowhere, has none.
    """
    # An included router's prefix is only known to the effective route that FastAPI leaves here.
    route = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    return getattr(route, "path", None)


def path_of(scope: Scope) -> str:
    """Give the path without `ROOT_PATH`, whether the proxy has removed it or not."""
    path: str = scope["path"]
    root = scope.get("app_root_path", scope.get("root_path", ""))
    return path.removeprefix(root) if path.startswith(f"{root}/") else path


def methods_of(scope: Scope) -> set[str]:
    """Collect the methods of all routes on the path; Starlette names those of one route alone."""
    methods: set[str] = set()
    for route in iter_route_contexts(scope["app"].routes):
        match, _ = route.matches(scope)
        if match is not Match.NONE:
            methods |= route.methods or set()
    return methods
