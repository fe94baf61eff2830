from collections.abc import Callable
from typing import Annotated

import pytest
from fastapi import APIRouter, Header, HTTPException
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field

from app.problems import InvalidPart, ProblemError

router = APIRouter()


class Address(BaseModel):
    lines: list[Annotated[str, Field(max_length=20)]]


class Parcel(BaseModel):
    weight: float = Field(gt=0)
    address: Address = Field(alias="to/from")


@router.post("/parcels/{number}")
async def send_parcel(
    number: int, parcel: Parcel, fragile: bool = False, x_priority: Annotated[int, Header()] = 0
) -> None:
    raise ProblemError(
        409,
        f"Parcel {number} has been sent.",
        title="Already sent",
        headers={"Retry-After": "60"},
        errors=[InvalidPart(detail="is taken", pointer="#/path/number")],
    )


@router.get("/secret")
async def read_secret() -> None:
    raise HTTPException(401, "Sign in first.", headers={"WWW-Authenticate": "Bearer"})


@router.patch("/secret")
async def change_secret() -> None:
    raise HTTPException(403)


@router.get("/unchanged")
async def read_unchanged() -> None:
    raise HTTPException(304, headers={"ETag": '"1"'})


@router.get("/broken")
async def read_broken() -> None:
    raise RuntimeError("password=hunter2")


@router.get("/teapot")
async def read_teapot() -> None:
    raise ProblemError(499, "The kettle has left.")


@pytest.fixture
def client(start: Callable[..., TestClient]) -> TestClient:
    return start(router)


def test_an_unknown_path_is_a_problem(client: TestClient) -> None:
    response = client.get("/nowhere%20at%20all?secret=1")
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "Not Found",
        "instance": "/nowhere%20at%20all",
        "request_id": response.headers["X-Request-ID"],
    }


def test_a_wrong_method_is_a_problem_that_names_the_right_ones(client: TestClient) -> None:
    response = client.delete("/secret")
    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, PATCH"
    assert response.headers["Content-Type"] == "application/problem+json"


def test_headers_of_an_http_exception_are_kept(client: TestClient) -> None:
    response = client.get("/secret")
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.json()["detail"] == "Sign in first."


def test_an_http_exception_below_400_is_no_problem(client: TestClient) -> None:
    response = client.get("/unchanged")
    assert response.status_code == 304
    assert response.headers["ETag"] == '"1"'
    assert response.content == b""


def test_a_problem_may_be_raised_with_all_its_parts(client: TestClient) -> None:
    parcel = {"weight": 1, "to/from": {"lines": []}}
    response = client.post("/parcels/7", json=parcel)
    assert response.status_code == 409
    assert response.headers["Retry-After"] == "60"
    problem = response.json()
    assert problem["title"] == "Already sent"
    assert problem["detail"] == "Parcel 7 has been sent."
    assert problem["errors"] == [{"detail": "is taken", "pointer": "#/path/number"}]


def test_a_status_without_a_name_has_a_title(client: TestClient) -> None:
    assert client.get("/teapot").json()["title"] == "Error"


def test_invalid_parts_are_pointed_at_and_not_repeated(client: TestClient) -> None:
    address = {"lines": ["", "a line that is much too long"]}
    response = client.post(
        "/parcels/seven",
        params={"fragile": "maybe-so"},
        headers={"X-Priority": "highest"},
        json={"weight": -17.5, "to/from": address},
    )
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    assert {error["pointer"] for error in response.json()["errors"]} == {
        "#/path/number",
        "#/query/fragile",
        "#/header/x-priority",
        "#/body/weight",
        "#/body/to~1from/lines/1",
    }
    for sent in ("seven", "maybe-so", "highest", "-17.5", "much too long"):
        assert sent not in response.text.replace(response.json()["instance"], "")


def test_malformed_json_points_at_the_body(client: TestClient) -> None:
    headers = {"Content-Type": "application/json"}
    response = client.post("/parcels/7", content=b'{"weight": ', headers=headers)
    assert response.status_code == 422
    assert response.json()["errors"] == [{"detail": "JSON decode error", "pointer": "#/body"}]


def test_an_unexpected_error_says_nothing_about_the_inside(client: TestClient) -> None:
    response = client.get("/broken")
    assert response.status_code == 500
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.json()["request_id"] == response.headers["X-Request-ID"]
    assert "hunter2" not in response.text
    assert "RuntimeError" not in response.text
