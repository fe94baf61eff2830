import pytest
from fastapi.testclient import TestClient

from tests.auth.accounts import bearer, open_account

ITEMS = "/api/v1/items"

Headers = dict[str, str]


@pytest.fixture
def bob(client: TestClient) -> Headers:
    """The headers of somebody else's requests."""
    return bearer(open_account(client, "bob@example.com"))


@pytest.fixture
def ladder(client: TestClient) -> str:
    """The place of an item that is not Bob's."""
    place: str = client.post(ITEMS, json={"name": "Ladder"}).headers["Location"]
    return place


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_someone_elses_item_is_not_found(
    client: TestClient, bob: Headers, ladder: str, method: str
) -> None:
    response = client.request(method, ladder, json={"name": "Bob's"}, headers=bob)
    assert response.status_code == 404
    assert client.get(ladder).json()["name"] == "Ladder"


def test_a_list_shows_ones_own_items(client: TestClient, bob: Headers, ladder: str) -> None:
    assert client.get(ITEMS, headers=bob).json() == {"items": [], "total": 0}
    assert client.get(ITEMS).json()["total"] == 1


def test_two_owners_may_use_one_name(client: TestClient, bob: Headers, ladder: str) -> None:
    assert client.post(ITEMS, json={"name": "Ladder"}, headers=bob).status_code == 201
    assert client.post(ITEMS, json={"name": "Ladder"}, headers=bob).status_code == 409


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_nobody_may_use_items_without_a_token(client: TestClient, ladder: str, method: str) -> None:
    del client.headers["Authorization"]
    path = ITEMS if method == "POST" else ladder
    response = client.request(method, path, json={"name": "Ladder"})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
