"""List the routes of the service, without starting it: `make routes`."""

import sys
from itertools import chain

from fastapi.routing import RouteContext, iter_route_contexts

from app.main import app

HEAD = ("METHODS", "PATH", "NAME", "SECURITY")


def main() -> None:
    """Print one line a route, in the order in which requests are matched."""
    rows = [HEAD, *(describe(route) for route in iter_route_contexts(app.routes))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(f"{line.rstrip()}\n")


def describe(route: RouteContext) -> tuple[str, str, str, str]:
    """Name what serves a path, and what OpenAPI says that a request must bring."""
    methods = sorted(route.methods or ())
    documented = app.openapi()["paths"].get(route.path_format, {})
    schemes = chain(*(documented.get(name.lower(), {}).get("security", []) for name in methods))
    security = [
        f"{name} {' '.join(scopes)}".strip() for each in schemes for name, scopes in each.items()
    ]
    kind = type(route.original_route).__name__
    return (",".join(methods) or kind, route.path or "", route.name or "", ", ".join(security))


if __name__ == "__main__":
    main()
