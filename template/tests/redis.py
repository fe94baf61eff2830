"""Names of the tests' own in Redis; without a server, the service shares nothing."""

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest
from redis import Redis

from app.settings import get_settings
from tests.redis_server import MISSING, find_redis

SERVER = os.environ["TEST_REDIS_URL"] = find_redis()
needs_redis = pytest.mark.skipif(not SERVER, reason=MISSING)


@pytest.fixture(autouse=True)
def redis_namespace(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """What the names of this test's keys begin with; they are gone afterwards."""
    namespace = f"test-{uuid4().hex}"
    monkeypatch.setenv("REDIS_URL", SERVER)
    monkeypatch.setenv("REDIS_NAMESPACE", namespace)
    get_settings.cache_clear()
    yield namespace
    get_settings.cache_clear()
    if SERVER:
        with Redis.from_url(SERVER) as client:
            if keys := list(client.scan_iter(f"{namespace}*", count=1000)):
                client.delete(*keys)
