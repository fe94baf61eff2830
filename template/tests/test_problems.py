from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest
from fastapi import (
    APIRouter,
    FastAPI,
    Header,
    HTTPException,
    Response,
    WebSocket,
)
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from app.problems import InvalidPart, ProblemError

KEY = UUID(int=7)
# What is raised, and the members that the problem gets from it.
DETAILS: list[tuple[Any, dict[str, Any]]] = [
    ("No parcel.", {"detail": "No parcel."}),
    ({"code": 17, "ids": [KEY]}, {"detail": "Bad Request", "code": 17, "ids": [str(KEY)]}),
    (
        {"detail": "No.", "title": "Gone", "code": None},
        {"detail": "No.", "title": "Gone", "code": None},
    ),
    (["a", {"b": Decimal("1.5")}], {"detail": "Bad Request", "details": ["a", {"b": "1.5"}]}),
    (
        {"type": "late", "status": "open", "instance": 1, "request_id": "mine", "detail": {"a": 1}},
        {
            "detail": "Bad Request",
            "details": {
                "type": "late",
                "status": "open",
                "instance": 1,
                "request_id": "mine",
                "detail": {"a": 1},
            },
        },
    ),
    ({"weight": float("nan")}, {"weight": None}),
    (17, {"detail": "Bad Request", "details": 17}),
    (ValueError("No parcel."), {"detail": "No parcel."}),
    ("", {"detail": "Bad Request"}),
]
# What is answered, and what the problem says.
FOREIGN: list[tuple[Response, str]] = [
    (PlainTextResponse("No parcel.", 404), "No parcel."),
    (PlainTextResponse("kein Päckchen".encode("latin-1"), 404), "kein P�ckchen"),
    (
        Response("kein Päckchen".encode("latin-1"), 404, media_type="text/plain; charset=latin-1"),
        "kein Päckchen",
    ),
    (Response(b"text", 404, media_type="text/plain; charset=klingon"), "text"),
    (HTMLResponse("<h1>No parcel.</h1>", 404), "Not Found"),
    (Response(status_code=404), "Not Found"),
    (Response(status_code=404, media_type="image/png"), "Not Found"),
    (JSONResponse({"detail": "No parcel."}, 404), "No parcel."),
    (JSONResponse(None, 404), "Not Found"),
    (
        Response(b"\x1f\x8b", 404, {"Content-Encoding": "gzip", "Content-Type": "text/plain"}),
        "Not Found",
    ),
]

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


@router.get("/details/{case}")
async def raise_detail(case: int) -> None:
    raise HTTPException(400, DETAILS[case][0])


@router.get("/foreign/{case}")
async def answer_foreign(case: int) -> Response:
    return FOREIGN[case][0]


@router.get("/own-form")
async def answer_in_own_form() -> Response:
    return JSONResponse({"message": "No parcel."}, 404)


@router.get("/time-limit")
async def run_out_of_time() -> None:
    raise TimeoutError("the mail server")


@router.websocket("/talk/{end}")
async def talk(websocket: WebSocket, end: str) -> None:
    if end == "early":
        raise RuntimeError("password=hunter2")
    await websocket.accept()
    if end == "refuse":
        raise HTTPException(403)
    if end == "crash":
        raise RuntimeError("password=hunter2")
    await websocket.receive_text()


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
    assert response.headers["Allow"] == "GET, HEAD, PATCH"
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


@pytest.mark.parametrize("case", range(len(DETAILS)))
def test_the_detail_of_an_http_exception_keeps_its_structure(client: TestClient, case: int) -> None:
    response = client.get(f"/details/{case}")
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    own = {"type": "about:blank", "title": "Bad Request", "status": 400}
    own |= {"instance": f"/details/{case}", "request_id": response.headers["X-Request-ID"]}
    assert response.json() == {"detail": "Bad Request"} | own | DETAILS[case][1]


@pytest.mark.parametrize("case", range(len(FOREIGN)))
def test_an_error_in_another_form_becomes_a_problem(client: TestClient, case: int) -> None:
    response = client.get(f"/foreign/{case}")
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Content-Length"] == str(len(response.content))
    assert "Content-Encoding" not in response.headers
    assert response.json()["detail"] == FOREIGN[case][1]


def test_json_that_has_been_designed_stays(client: TestClient) -> None:
    response = client.get("/own-form")
    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == {"message": "No parcel."}


@pytest.mark.parametrize("path", ["/shop/nowhere", "/shop/parcels/seven", "/shop/broken"])
def test_errors_of_another_application_are_problems(
    start: Callable[..., TestClient], capsys: pytest.CaptureFixture[str], path: str
) -> None:
    shop = FastAPI()
    shop.include_router(router)
    department = APIRouter()
    department.mount("/shop", shop)
    client = start(department)
    response = client.post(path) if "parcels" in path else client.get(path)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == response.status_code
    assert response.json()["instance"] == path
    assert "hunter2" not in response.text
    crashed = path == "/shop/broken"
    assert capsys.readouterr().out.count("unexpected_error") == crashed


def test_a_time_limit_of_the_service_is_an_unexpected_error(
    start: Callable[..., TestClient], capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(router).get("/time-limit").status_code == 500
    log = capsys.readouterr().out
    assert "unexpected_error" in log
    assert "Traceback" in log


@pytest.mark.parametrize(("end", "code"), [("crash", 1011), ("refuse", 1008)])
def test_a_websocket_that_fails_is_closed_with_a_code(
    start: Callable[..., TestClient], capsys: pytest.CaptureFixture[str], end: str, code: int
) -> None:
    with start(router).websocket_connect(f"/talk/{end}") as websocket:
        with pytest.raises(WebSocketDisconnect) as closed:
            websocket.receive_text()
        assert closed.value.code == code
        assert "hunter2" not in closed.value.reason
    assert capsys.readouterr().out.count("unexpected_error") == (end == "crash")


def test_a_websocket_that_fails_before_it_opens_is_answered_with_a_problem(
    start: Callable[..., TestClient], capsys: pytest.CaptureFixture[str]
) -> None:
    client = start(router)
    with (
        pytest.raises(WebSocketDenialResponse) as refusal,
        client.websocket_connect("/talk/early"),
    ):
        pass
    assert refusal.value.status_code == 500
    assert refusal.value.headers["Content-Type"] == "application/problem+json"
    assert "hunter2" not in refusal.value.text
    assert "unexpected_error" in capsys.readouterr().out


def test_a_client_that_leaves_a_websocket_is_no_error(
    start: Callable[..., TestClient], capsys: pytest.CaptureFixture[str]
) -> None:
    with start(router).websocket_connect("/talk/never"):
        pass
    assert "error" not in capsys.readouterr().out
