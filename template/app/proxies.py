"""The scheme and the path that callers use, which proxies in front of the service may change."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from fastapi.routing import iter_route_contexts
from starlette.routing import Host, Match, Mount, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Address = IPv4Address | IPv6Address


class TrustedProxies:
    """The addresses and networks that `TRUSTED_PROXIES` lists."""

    def __init__(self, proxies: Iterable[str]) -> None:
        self.networks = [ip_network(proxy) for proxy in proxies]

    def include(self, address: Address) -> bool:
        """Whether the address is that of a trusted proxy."""
        return any(address in network for network in self.networks)

    def have_sent(self, scope: Scope) -> bool:
        """Whether one of them has sent a request, so that its X-Forwarded headers are trusted."""
        peer = peer_of(scope)
        # Who calls through a Unix socket has no address, and can only be the proxy beside.
        return bool(self.networks) and (peer is None or self.include(peer))


def peer_of(scope: Scope) -> Address | None:
    """Read the address from which the connection comes, if it has one."""
    return read_address(scope["client"][0]) if scope.get("client") else None


@lru_cache(maxsize=1024)
def read_address(text: str) -> Address | None:
    """Read an address, with or without a port; return nothing for any other text."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


class BehindProxy:
    """Set the scheme and the path of each request to those that its caller uses.

    The scheme comes from `X-Forwarded-Proto`, if a trusted proxy has sent it. `ROOT_PATH` is put in
    front of the path, if the proxy has removed it, and in front of each `Location` that is a path.
    """

    def __init__(self, app: ASGIApp, router: Router, trusted_proxies: Iterable[str]) -> None:
        self.app = app
        self.router = router
        self.proxies = TrustedProxies(trusted_proxies)
        self.ambiguous: dict[str, bool] = {}
        refuse_other_slashes(router)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return

        if forwarded_scheme(scope) == "https" and self.proxies.have_sent(scope):
            scope["scheme"] = "https" if scope["type"] == "http" else "wss"
        root: str = scope.get("root_path", "")
        if root:
            scope["path"] = self.below(root, scope["path"])

        async def send_with_root(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    (name, self.below(root, value.decode("latin-1")).encode("latin-1"))
                    if name.lower() == b"location" and is_path(value)
                    else (name, value)
                    for name, value in message.get("headers", ())
                ]
            await send(message)

        await self.app(scope, receive, send_with_root if root else send)

    def below(self, root: str, path: str) -> str:
        """Put the root path in front, unless it is there already."""
        if path == root:
            return f"{root}/"
        longer = f"{root}{path}"
        if not path.startswith(f"{root}/"):
            return longer
        if not self.is_ambiguous(root) or self.leads(root, path) or not self.leads(root, longer):
            return path
        return longer

    def is_ambiguous(self, root: str) -> bool:
        """Whether routes begin with the root path, too, as with /api."""
        if root not in self.ambiguous:
            paths = [route.path or "" for route in iter_route_contexts(self.router.routes)]
            self.ambiguous[root] = any(path.startswith(f"{root}/") for path in paths)
        return self.ambiguous[root]

    def leads(self, root: str, path: str) -> bool:
        """Whether the path without the root path matches a route."""
        scope = {"type": "http", "method": "GET", "path": path.partition("?")[0], "root_path": root}
        routes = iter_route_contexts(self.router.routes)
        return any(route.matches(scope)[0] is not Match.NONE for route in routes)


def forwarded_scheme(scope: Scope) -> str:
    """Read the last `X-Forwarded-Proto`, which is that of the nearest proxy."""
    for name, value in reversed(scope["headers"]):
        if name == b"x-forwarded-proto":
            text: str = value.decode("latin-1")
            return text.rpartition(",")[2].strip().lower()
    return ""


def is_path(location: bytes) -> bool:
    """Whether a location is a path, and not the address of another host."""
    return location.startswith(b"/") and not location.startswith(b"//")


def refuse_other_slashes(router: Router) -> None:
    """Never redirect to the same path with or without a slash at its end, mounted apps included."""
    router.redirect_slashes = False
    for route in iter_route_contexts(router.routes):
        mounted: Any = route.original_route
        if not isinstance(mounted, Mount | Host):
            continue
        # An application has a router, and middleware an application.
        while mounted and not isinstance(mounted, Router):
            mounted = getattr(mounted, "router", None) or getattr(mounted, "app", None)
        if mounted:
            refuse_other_slashes(mounted)
