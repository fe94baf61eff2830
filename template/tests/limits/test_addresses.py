from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from app.limits.addresses import ClientAddresses
from app.settings import Settings
from tests.limits.callers import at

PROXIES = ["10.0.0.0/8", "2001:db8:ffff::1"]


def address_of(peer: str | None, *forwarded: str, proxies: list[str] = PROXIES) -> str:
    """The address that a server and its proxies tell."""
    return ClientAddresses(proxies).of(
        {
            "type": "http",
            "client": peer and (peer, 50_000),
            "headers": [(b"x-forwarded-for", value.encode()) for value in forwarded],
        }
    )


def test_whoever_connects_is_the_caller() -> None:
    assert address_of("192.0.2.1") == "192.0.2.1"
    assert address_of("192.0.2.1", proxies=[]) == "192.0.2.1"


@pytest.mark.parametrize("proxies", [[], PROXIES])
def test_what_a_caller_claims_is_not_believed(proxies: list[str]) -> None:
    assert address_of("192.0.2.1", "198.51.100.1", proxies=proxies) == "192.0.2.1"


@pytest.mark.parametrize(
    ("forwarded", "caller"),
    [
        (["192.0.2.1"], "192.0.2.1"),
        (["198.51.100.1, 192.0.2.1"], "192.0.2.1"),
        (["198.51.100.1", "192.0.2.1"], "192.0.2.1"),
        (["198.51.100.1, 192.0.2.1, 10.2.3.4"], "192.0.2.1"),
        (["10.9.9.9, 192.0.2.1,2001:db8:ffff::1"], "192.0.2.1"),
        (["192.0.2.1:8080"], "192.0.2.1"),
        (["[2001:db8::1]:8080"], "2001:db8::/64"),
        (["2001:db8::1"], "2001:db8::/64"),
        (["2001:db8::1:2:3:4"], "2001:db8::/64"),
        (["2001:db8:0:1::1"], "2001:db8:0:1::/64"),
        (["fe80::1%eth0"], "fe80::/64"),
        (["::ffff:192.0.2.1"], "192.0.2.1"),
        (["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        (["198.51.100.1, garbage, 10.2.2.2"], "10.2.2.2"),
        (["198.51.100.1, unknown"], "10.0.0.1"),
        (["198.51.100.1,"], "10.0.0.1"),
        (["[", "::1::", "'\"", "1.2.3.4.5"], "10.0.0.1"),
        (["9" * 10_000], "10.0.0.1"),
        ([], "10.0.0.1"),
    ],
)
def test_proxies_tell_who_calls(forwarded: list[str], caller: str) -> None:
    assert address_of("10.0.0.1", *forwarded) == caller
    assert address_of("::ffff:10.0.0.1", *forwarded) == caller


def test_who_calls_through_a_socket_is_the_proxy() -> None:
    assert address_of(None, "192.0.2.1") == "192.0.2.1"
    assert address_of(None, "garbage") == "unknown"
    assert address_of(None, "192.0.2.1", proxies=[]) == "unknown"
    assert address_of("testclient", "192.0.2.1", proxies=[]) == "unknown"


def test_an_address_cannot_be_made_up_over_http(
    start_behind_proxy: Callable[..., TestClient],
) -> None:
    client = start_behind_proxy(rate_limit="1/day", trusted_proxies="")
    responses = [client.get("/no", headers=at(f"192.0.2.{number}")) for number in range(3)]
    assert [response.status_code for response in responses] == [404, 429, 429]


@pytest.mark.parametrize("proxies", ["proxy.example.com", "10.0.0.1/8", "*", "10.0.0.0/99"])
def test_proxies_are_networks(proxies: str) -> None:
    with pytest.raises(ValidationError, match="must list addresses or networks"):
        Settings(trusted_proxies=proxies)


@pytest.mark.parametrize("proxies", ["0.0.0.0/0", "10.0.0.1, ::/0"])
def test_not_everybody_is_trusted(proxies: str) -> None:
    with pytest.raises(ValidationError, match="must not trust everybody"):
        Settings(trusted_proxies=proxies)
