import asyncio
from collections.abc import Callable
from time import sleep
from uuid import uuid4

import pytest
from fastapi import APIRouter, Request
from fastapi.testclient import TestClient
from httpx2 import Response
from pydantic import ValidationError
from redis import Redis
from sqlalchemy import update

from app.cache.answers import MAX_ANSWER_BYTES, Answers, Shelf
from app.cache.dependencies import cached
from app.items.models import Item
from app.settings import Settings
# {% if jwt_auth %}
from tests.auth.accounts import bearer, open_account
# {% endif %}
from tests.database.databases import execute
from tests.redis import SERVER, needs_redis
from tests.test_redis import AWAY
from tests.test_redis_watch import until_redis_is_back

ITEMS = "/api/v1/items"


@pytest.fixture
def client(client: TestClient) -> TestClient:
    """A client that may use items."""
    return with_account(client)


def with_account(client: TestClient) -> TestClient:
    # {% if jwt_auth %}
    client.headers.update(bearer(open_account(client)))
    # {% endif %}
    return client


@pytest.fixture
def lamp(client: TestClient) -> str:
    """The place of an item."""
    place: str = client.post(ITEMS, json={"name": "Lamp"}).headers["Location"]
    return place


def is_kept(response: Response) -> bool:
    assert response.status_code in {200, 304}
    return response.headers["Cache-Status"] == "app; hit"


def change_behind_the_back(name: str) -> None:
    """Change the database as something would that does not tell the service."""
    execute(update(Item).values(name=name))


def test_an_answer_is_kept(client: TestClient, lamp: str) -> None:
    for place in (ITEMS, lamp):
        first = client.get(place)
        assert not is_kept(first)
        change_behind_the_back("Torch")
        second = client.get(place)
        assert is_kept(second)
        assert second.content == first.content
        change_behind_the_back("Lamp")


def test_another_query_has_another_answer(client: TestClient, lamp: str) -> None:
    for query in ("", "?limit=1", "?offset=1", "?name=L", "?sort=-name", "?x=1"):
        assert not is_kept(client.get(ITEMS + query))
        assert is_kept(client.get(ITEMS + query))


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_write_is_seen_at_once(client: TestClient, lamp: str, method: str) -> None:
    client.get(lamp)
    client.get(ITEMS)
    place = ITEMS if method == "POST" else lamp
    assert client.request(method, place, json={"name": "Torch"}).is_success

    names = [item["name"] for item in client.get(ITEMS).json()["items"]]
    assert names == {"POST": ["Lamp", "Torch"], "DELETE": []}.get(method, ["Torch"])
    response = client.get(lamp)
    assert response.status_code == (404 if method == "DELETE" else 200)
    assert response.json().get("name") == {"POST": "Lamp", "DELETE": None}.get(method, "Torch")


def test_a_write_that_is_undone_changes_nothing(client: TestClient, lamp: str) -> None:
    client.post(ITEMS, json={"name": "Torch"})
    assert client.patch(lamp, json={"name": "Torch"}).status_code == 409
    assert client.get(lamp).json()["name"] == "Lamp"


def test_errors_are_not_kept(client: TestClient) -> None:
    response = client.get(f"{ITEMS}/{uuid4()}")
    assert response.status_code == 404
    assert response.headers["Cache-Control"] == "no-store"
    assert "ETag" not in response.headers


def test_what_is_old_is_made_anew(start: Callable[..., TestClient]) -> None:
    client = with_account(start(cache_lifetime="PT1S"))
    client.get(ITEMS)
    assert is_kept(client.get(ITEMS))
    sleep(1.1)
    assert not is_kept(client.get(ITEMS))


def test_caches_are_told_to_ask_each_time(client: TestClient) -> None:
    for _ in range(2):
        headers = client.get(ITEMS).headers
        # {% if not jwt_auth %}
        expected = "no-cache"
        # {% else %}
        expected = "private, no-cache"
        assert "Authorization" in headers["Vary"]
        # {% endif %}
        assert headers["Cache-Control"] == expected


def test_whoever_has_the_answer_is_not_sent_it_again(client: TestClient) -> None:
    whole = client.get(ITEMS)
    tag = whole.headers["ETag"]
    for condition in (tag, f"W/{tag}", f'"other", {tag}', f'W/"a,b",W/{tag}', "*", " * "):
        for place, kept in ((ITEMS, True), (f"{ITEMS}?{condition}", False)):
            response = client.get(place, headers={"If-None-Match": condition})
            assert response.status_code == 304
            assert response.content == b""
            assert "Content-Length" not in response.headers
            assert is_kept(response) is kept
            for name in ("ETag", "Cache-Control", "Vary"):
                assert response.headers.get(name) == whole.headers.get(name)


def test_whoever_has_another_answer_is_sent_this_one(client: TestClient) -> None:
    tag = client.get(ITEMS).headers["ETag"].strip('"')
    for condition in ("", '"other"', "nonsense", '"', tag, f'"{tag}', "**"):
        response = client.get(ITEMS, headers={"If-None-Match": condition})
        assert response.status_code == 200
        assert response.json() == {"items": [], "total": 0}


def test_the_tag_changes_with_the_answer(client: TestClient, lamp: str) -> None:
    tag = client.get(lamp).headers["ETag"]
    client.patch(lamp, json={"quantity": 1})
    response = client.get(lamp, headers={"If-None-Match": tag})
    assert response.status_code == 200
    assert response.headers["ETag"] != tag


router = APIRouter(prefix="/things", dependencies=[cached("things")])
things = {"value": 1}


@router.get("")
async def read_things(request: Request) -> int:
    """Somebody writes after this has read, and before it answers."""
    old = things["value"]
    if old == 1:
        things["value"] = 2
        await request.app.state.answers.void(request.state.turn.shelf)
    return old


@router.get("/large")
async def read_large_thing() -> str:
    return "x" * MAX_ANSWER_BYTES


def test_an_answer_that_a_write_overtakes_is_not_kept(start: Callable[..., TestClient]) -> None:
    things["value"] = 1
    client = with_account(start(router))
    assert client.get("/things").json() == 1
    assert client.get("/things").json() == 2
    assert is_kept(client.get("/things"))


def test_a_write_that_overtakes_a_reader_is_seen(
    client: TestClient, lamp: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = Answers.find

    async def find_after_a_write(
        answers: Answers, shelf: Shelf, url: str
    ) -> tuple[bytes | None, bytes | None]:
        """Somebody writes after the reader has been identified."""
        await asyncio.to_thread(change_behind_the_back, "Torch")
        await answers.void(shelf)
        return await find(answers, shelf, url)

    monkeypatch.setattr(Answers, "find", find_after_a_write)
    assert client.get(lamp).json()["name"] == "Torch"


def test_a_large_answer_is_not_kept_but_has_a_tag(start: Callable[..., TestClient]) -> None:
    client = with_account(start(router))
    tag = client.get("/things/large").headers["ETag"]
    response = client.get("/things/large", headers={"If-None-Match": tag})
    assert response.status_code == 304
    assert not is_kept(response)


def test_head_reads_and_keeps_what_get_does(start: Callable[..., TestClient]) -> None:
    client = with_account(start())
    head = client.head(ITEMS)
    assert head.content == b""
    read = client.get(ITEMS)
    assert is_kept(read)
    assert read.json() == {"items": [], "total": 0}
    assert head.headers["ETag"] == read.headers["ETag"]
    assert head.headers["Content-Length"] == read.headers["Content-Length"]
    unchanged = client.head(ITEMS, headers={"If-None-Match": read.headers["ETag"]})
    assert unchanged.status_code == 304


def test_memory_is_bounded(start: Callable[..., TestClient]) -> None:
    client = with_account(start(redis_url="", cache_max_entries=2))
    client.get(ITEMS)
    client.get(f"{ITEMS}?limit=1")
    assert not is_kept(client.get(ITEMS))


def test_without_redis_reads_are_answered_anew(
    start: Callable[..., TestClient], capsys: pytest.CaptureFixture[str]
) -> None:
    client = with_account(start(redis_url=AWAY))
    place = client.post(ITEMS, json={"name": "Lamp"}).headers["Location"]
    for quantity in range(3):
        assert client.patch(place, json={"quantity": quantity}).status_code == 200
        response = client.get(place)
        assert not is_kept(response)
        assert response.json()["quantity"] == quantity
    assert capsys.readouterr().out.count("redis_is_away") == 1


@needs_redis
def test_processes_share_what_they_keep(start: Callable[..., TestClient]) -> None:
    one, other = with_account(start()), start()
    other.headers.update(one.headers)
    one.get(ITEMS)
    assert is_kept(other.get(ITEMS))
    place = other.post(ITEMS, json={"name": "Lamp"}).headers["Location"]
    assert one.get(ITEMS).json()["total"] == 1
    assert one.get(place).json()["name"] == "Lamp"


@needs_redis
def test_nothing_that_redis_holds_is_run(client: TestClient, redis_namespace: str) -> None:
    client.get(ITEMS)
    program = b"cbuiltins\nexec\n(S'raise SystemExit'\ntR."
    with Redis.from_url(SERVER) as redis:
        keys = list(redis.scan_iter(f"{redis_namespace}:cache:*"))
        assert len(keys) == 2
        for key in keys:
            redis.set(key, program)
    assert client.get(ITEMS).json() == {"items": [], "total": 0}


@needs_redis
def test_a_write_that_redis_missed_ends_all_answers_when_it_is_back(
    start: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.redis_watch.PROBE_SECONDS", 0.05)
    client = with_account(start())
    client.get(ITEMS)
    assert is_kept(client.get(ITEMS))
    watch = client.app.state.redis_watch  # type: ignore[attr-defined]
    assert client.portal
    client.portal.call(watch.turn_away, ConnectionError("for a test"))
    client.post(ITEMS, json={"name": "Lamp"})
    assert client.get(ITEMS).json()["total"] == 1
    until_redis_is_back(client)
    assert client.get(ITEMS).json()["total"] == 1
    assert is_kept(client.get(ITEMS))


@pytest.mark.parametrize("lifetime", ["PT0S", "PT2H", "soon"])
def test_a_lifetime_is_short(lifetime: str) -> None:
    with pytest.raises(ValidationError):
        Settings(cache_lifetime=lifetime)
# {% if jwt_auth %}


@pytest.fixture
def bob(client: TestClient) -> dict[str, str]:
    """The headers of somebody else's requests."""
    return bearer(open_account(client, "bob@example.com"))


@pytest.mark.parametrize("condition", ["", "*", "{}"])
def test_nobody_gets_what_is_kept_for_another(
    client: TestClient, bob: dict[str, str], lamp: str, condition: str
) -> None:
    client.get(lamp)
    assert is_kept(client.get(lamp))
    tag = client.get(lamp).headers["ETag"]
    asking = bob | {"If-None-Match": condition.format(tag)}
    for _ in range(2):
        response = client.get(lamp, headers=asking)
        assert response.status_code == 404
        assert "ETag" not in response.headers


def test_lists_are_kept_for_each_owner(client: TestClient, bob: dict[str, str], lamp: str) -> None:
    tag = client.get(ITEMS).headers["ETag"]
    for _ in range(2):
        response = client.get(ITEMS, headers=bob | {"If-None-Match": tag})
        assert response.status_code == 200
        assert response.json() == {"items": [], "total": 0}
    client.post(ITEMS, json={"name": "Bob's"}, headers=bob)
    assert is_kept(client.get(ITEMS))
    assert client.get(ITEMS, headers=bob).json()["items"][0]["name"] == "Bob's"


def test_what_is_kept_is_kept_from_those_who_have_logged_out(client: TestClient) -> None:
    tokens = open_account(client)
    client.get(ITEMS, headers=bearer(tokens))
    assert is_kept(client.get(ITEMS, headers=bearer(tokens)))
    client.post("/api/v1/auth/logout", data={"token": tokens["refresh_token"]})
    for headers in (bearer(tokens), bearer({"access_token": "no.such.token"})):
        response = client.get(ITEMS, headers=headers | {"If-None-Match": "*"})
        assert response.status_code == 401
# {% endif %}
