from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

ITEMS = "/api/v1/items"
NOBODYS = f"{ITEMS}/{uuid4()}"


def create(client: TestClient, name: str, **values: object) -> Response:
    return client.post(ITEMS, json={"name": name, **values})


def names(client: TestClient, **search: str | int) -> list[str]:
    response = client.get(ITEMS, params=search)
    assert response.status_code == 200
    return [item["name"] for item in response.json()["items"]]


def test_a_new_item_has_a_place(client: TestClient) -> None:
    response = create(client, "Ladder", description="Three steps", quantity=2)
    assert response.status_code == 201
    item = response.json()
    assert item["name"] == "Ladder"
    assert item["description"] == "Three steps"
    assert item["quantity"] == 2
    assert UUID(item["id"]).version == 7
    assert response.headers["Location"] == f"{ITEMS}/{item['id']}"
    assert client.get(response.headers["Location"]).json() == item


def test_what_is_left_out_has_a_default(client: TestClient) -> None:
    item = create(client, " Ladder ").json()
    assert (item["name"], item["description"], item["quantity"]) == ("Ladder", "", 0)


def test_moments_are_in_utc(client: TestClient) -> None:
    before = datetime.now(UTC)
    item = create(client, "Ladder").json()
    created_at = datetime.fromisoformat(item["created_at"])
    assert before <= created_at <= datetime.now(UTC)
    assert item["created_at"].endswith("Z")


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"name": ""},
        {"name": "  "},
        {"name": "x" * 101},
        {"name": "a\0b"},
        {"name": None},
        {"name": "Ladder", "description": "x" * 1001},
        {"name": "Ladder", "quantity": -1},
        {"name": "Ladder", "quantity": 2**31},
        {"name": "Ladder", "quantity": 1.5},
        {"name": "Ladder", "quantity": "1"},
        {"name": "Ladder", "quantity": True},
    ],
)
def test_an_impossible_item_is_refused(client: TestClient, values: dict[str, Any]) -> None:
    assert client.post(ITEMS, json=values).status_code == 422
    assert names(client) == []


def test_a_name_is_taken_once(client: TestClient) -> None:
    create(client, "Ladder")
    rope = create(client, "Rope").headers["Location"]
    for response in (
        create(client, "Ladder"),
        client.put(rope, json={"name": "Ladder"}),
        client.patch(rope, json={"name": "Ladder"}),
    ):
        assert response.status_code == 409
        assert response.headers["Content-Type"] == "application/problem+json"
    assert names(client) == ["Ladder", "Rope"]


def test_a_replaced_item_has_nothing_of_the_old(client: TestClient) -> None:
    item = create(client, "Ladder", description="Three steps", quantity=2).json()
    response = client.put(f"{ITEMS}/{item['id']}", json={"name": "Rope"})
    assert response.status_code == 200
    replaced = response.json()
    assert (replaced["name"], replaced["description"], replaced["quantity"]) == ("Rope", "", 0)
    assert (replaced["id"], replaced["created_at"]) == (item["id"], item["created_at"])
    assert replaced["updated_at"] > item["updated_at"]
    assert client.get(f"{ITEMS}/{item['id']}").json() == replaced


@pytest.mark.parametrize("change", [{}, {"quantity": 7}, {"name": "Rope", "description": ""}])
def test_a_patched_item_keeps_the_rest(client: TestClient, change: dict[str, Any]) -> None:
    item = create(client, "Ladder", description="Three steps", quantity=2).json()
    response = client.patch(f"{ITEMS}/{item['id']}", json=change)
    assert response.status_code == 200
    patched = response.json()
    del item["updated_at"], patched["updated_at"]
    assert patched == item | change


def test_a_part_may_be_left_out_but_not_null(client: TestClient) -> None:
    item = create(client, "Ladder").headers["Location"]
    response = client.patch(item, json={"name": None})
    assert response.status_code == 422


def test_a_deleted_item_is_gone(client: TestClient) -> None:
    item = create(client, "Ladder").headers["Location"]
    response = client.delete(item)
    assert (response.status_code, response.content) == (204, b"")
    assert client.get(item).status_code == 404
    assert create(client, "Ladder").status_code == 201


def test_an_unknown_item_is_not_found(client: TestClient) -> None:
    for response in (
        client.get(NOBODYS),
        client.put(NOBODYS, json={"name": "Ladder"}),
        client.patch(NOBODYS, json={}),
        client.delete(NOBODYS),
    ):
        assert response.status_code == 404
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["detail"] == "There is no such item."


def test_pages_make_up_the_whole_list(client: TestClient) -> None:
    expected = [f"Item {number}" for number in range(7)]
    for name in expected:
        create(client, name)
    found: list[str] = []
    for offset in range(0, 9, 3):
        page = client.get(ITEMS, params={"limit": 3, "offset": offset}).json()
        assert page["total"] == 7
        found += [item["name"] for item in page["items"]]
    assert found == expected


def test_equal_items_are_listed_in_a_stable_order(client: TestClient) -> None:
    expected = [f"Item {number}" for number in range(5)]
    for name in expected:
        create(client, name)
    assert names(client, sort="quantity") == expected
    assert names(client, sort="quantity", limit=2, offset=2) == expected[2:4]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("created_at", ["Rope", "Axe", "Ladder"]),
        ("-created_at", ["Ladder", "Axe", "Rope"]),
        ("name", ["Axe", "Ladder", "Rope"]),
        ("-name", ["Rope", "Ladder", "Axe"]),
        ("quantity", ["Axe", "Ladder", "Rope"]),
        ("-quantity", ["Rope", "Ladder", "Axe"]),
    ],
)
def test_a_list_is_sorted_as_asked(client: TestClient, sort: str, expected: list[str]) -> None:
    for name, quantity in [("Rope", 3), ("Axe", 1), ("Ladder", 2)]:
        create(client, name, quantity=quantity)
    assert names(client, sort=sort) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("LADDER", ["Ladder", "Step ladder"]),
        ("step l", ["Step ladder"]),
        ("%", ["50 % off"]),
        ("_", []),
        ("saw", []),
        ("", ["Ladder", "Step ladder", "50 % off"]),
    ],
)
def test_a_list_is_filtered_by_name(client: TestClient, text: str, expected: list[str]) -> None:
    for name in ["Ladder", "Step ladder", "50 % off"]:
        create(client, name)
    assert names(client, name=text) == expected
    assert client.get(ITEMS, params={"name": text}).json()["total"] == len(expected)


@pytest.mark.parametrize(
    "search",
    [
        {"limit": 0},
        {"limit": 101},
        {"offset": -1},
        {"offset": 2**63},
        {"sort": "id; DROP TABLE items"},
        {"sort": "owner_id"},
        {"name": "a\0b"},
    ],
)
def test_an_impossible_search_is_refused(client: TestClient, search: dict[str, Any]) -> None:
    assert client.get(ITEMS, params=search).status_code == 422
