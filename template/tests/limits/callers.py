"""Callers from many addresses, and limits that no other test meets by chance."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings

PROXY = "10.0.0.1"


@pytest.fixture(autouse=True)
def generous_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests of everything else call as often as they like."""
    monkeypatch.setenv("RATE_LIMIT", "100000/second")
    # {% if jwt_auth %}
    monkeypatch.setenv("LOGIN_LIMIT_PER_ADDRESS", "100000/second")
    monkeypatch.setenv("LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS", "100000/second")
    monkeypatch.setenv("LOGIN_LIMIT_PER_ACCOUNT", "100000/second")
    # {% endif %}


@pytest.fixture
def start_behind_proxy() -> Iterator[Callable[..., TestClient]]:
    """Start a service that is called by a proxy, which it trusts unless the settings differ."""
    with ExitStack() as stack:

        def start(*routers: APIRouter, **settings: Any) -> TestClient:
            settings = {"trusted_proxies": PROXY, "environment": "test"} | settings
            app = create_app(Settings(**settings))
            for router in routers:
                app.include_router(router)
            return stack.enter_context(TestClient(app, client=(PROXY, 50_000)))

        yield start


def at(address: str) -> dict[str, str]:
    """The header of a request that comes from this address."""
    return {"X-Forwarded-For": address}
