"""From which address a request comes, of which a caller can forge nothing."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.datastructures import Headers
from starlette.types import Scope

Address = IPv4Address | IPv6Address

UNKNOWN = "unknown"
# A home or a machine is given this much of IPv6, and may take any address in it.
IPV6_PREFIX = 64


class ClientAddresses:
    """Tell callers apart by address, behind proxies that are known.

    A proxy adds the address that it was called from at the end of `X-Forwarded-For`. Read from
    there, what trusted proxies have written comes first, and what the caller made up is never
    reached. `Forwarded` (RFC 7239) is not read: few proxies write it, and the others pass on what
    the caller has put there.
    """

    def __init__(self, trusted_proxies: Iterable[str]) -> None:
        self.trusted = [ip_network(proxy) for proxy in trusted_proxies]

    def of(self, scope: Scope) -> str:
        """Name the address of the caller; for IPv6, its network."""
        peer = read_address(scope["client"][0]) if scope.get("client") else None
        # Who calls through a Unix socket has no address, and can only be the proxy beside.
        if not self.trusted or (peer and not self.trusts(peer)):
            return name_of(peer)
        nearest = peer
        for text in reversed(forwarded_for(scope)):
            address = read_address(text)
            if address is None:
                break
            nearest = address
            if not self.trusts(address):
                break
        return name_of(nearest)

    def trusts(self, address: Address) -> bool:
        """Whether the address is that of a trusted proxy."""
        return any(address in network for network in self.trusted)


def forwarded_for(scope: Scope) -> list[str]:
    """List what `X-Forwarded-For` says, the nearest last."""
    return ",".join(Headers(scope=scope).getlist("X-Forwarded-For")).split(",")


@lru_cache(maxsize=1024)
def read_address(text: str) -> Address | None:
    """Read an address, with or without a port; of what is none, make nothing."""
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


def name_of(address: Address | None) -> str:
    """Write an address as it is counted."""
    if address is None:
        return UNKNOWN
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, IPV6_PREFIX), strict=False))
    return str(address)
