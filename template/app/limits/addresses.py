"""From which address a request comes, of which a caller can forge nothing."""

from collections.abc import Iterable
from ipaddress import IPv6Address, IPv6Network

from starlette.datastructures import Headers
from starlette.types import Scope

from app.proxies import Address, TrustedProxies, peer_of, read_address

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
        self.proxies = TrustedProxies(trusted_proxies)

    def of(self, scope: Scope) -> str:
        """Name the address of the caller; for IPv6, its network."""
        peer = peer_of(scope)
        if not self.proxies.have_sent(scope):
            return name_of(peer)
        nearest = peer
        for text in reversed(forwarded_for(scope)):
            address = read_address(text)
            if address is None:
                break
            nearest = address
            if not self.proxies.include(address):
                break
        return name_of(nearest)


def forwarded_for(scope: Scope) -> list[str]:
    """List what `X-Forwarded-For` says, the nearest last."""
    return ",".join(Headers(scope=scope).getlist("X-Forwarded-For")).split(",")


def name_of(address: Address | None) -> str:
    """Write an address as it is counted."""
    if address is None:
        return UNKNOWN
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, IPV6_PREFIX), strict=False))
    return str(address)
