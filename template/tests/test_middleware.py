import re
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from fastapi.testclient import TestClient

LIMIT = 1024 * 1024
JSON = {"Content-Type": "application/json"}

router = APIRouter()


@router.post("/count")
async def count(numbers: list[int]) -> int:
    return len(numbers)


@router.post("/count-more", max_body_size=2 * LIMIT)
async def count_more(numbers: list[int]) -> int:
    return len(numbers)


@router.get("/page")
async def read_page() -> Response:
    return Response(headers={"Content-Security-Policy": "default-src 'self'"})


@router.get("/greeting")
async def greet(request: Request, background: BackgroundTasks) -> dict[str, str]:
    background.add_task(request.app.state.greeted.append, request.method)
    return {"hello": "world"}


@router.get("/endless")
async def count_for_ever() -> StreamingResponse:
    async def numbers() -> AsyncIterator[str]:
        while True:
            yield "1\n"

    return StreamingResponse(numbers(), headers={"X-Stream": "numbers"})


@router.get("/file")
async def read_file() -> FileResponse:
    return FileResponse(__file__)


@router.head("/own-head")
async def answer_head_alone() -> Response:
    return Response(headers={"X-Answer": "to HEAD"})


@router.get("/own-head")
async def answer_get_alone() -> Response:
    return Response(headers={"X-Answer": "to GET"})


@router.get("/interrupted")
async def read_interrupted() -> StreamingResponse:
    async def content() -> AsyncIterator[str]:
        yield "begun"
        raise RuntimeError("interrupted")

    return StreamingResponse(content())


@pytest.fixture
def client(start: Callable[..., TestClient]) -> TestClient:
    return start(router)


def json_of_size(size: int) -> bytes:
    """Write a JSON list of integers of so many bytes."""
    return b"[1" + b" " * (size - 3) + b"]"


def in_chunks(content: bytes) -> Iterator[bytes]:
    """Send the content without telling its length."""
    for start in range(0, len(content), 65536):
        yield content[start : start + 65536]


@pytest.mark.parametrize("request_id", ["0f8fad5b-d9cb", "a", "A.b_c-9" * 18])
def test_a_harmless_request_id_is_echoed(client: TestClient, request_id: str) -> None:
    response = client.get("/livez", headers={"X-Request-ID": request_id})
    assert response.headers["X-Request-ID"] == request_id


@pytest.mark.parametrize(
    "request_id", ["", "a" * 129, "two words", "a\r\nSet-Cookie: b=c", "a\n", "<script>", "é"]
)
def test_any_other_request_id_is_replaced(client: TestClient, request_id: str) -> None:
    response = client.get("/livez", headers={b"X-Request-ID": request_id.encode()})
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["X-Request-ID"])
    assert "Set-Cookie" not in response.headers


def test_each_request_has_an_id_of_its_own(client: TestClient) -> None:
    first, second = client.get("/livez"), client.get("/livez")
    assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]


@pytest.mark.parametrize("path", ["/livez", "/nowhere"])
def test_every_response_has_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in headers


def test_a_route_may_set_a_security_header_for_itself(client: TestClient) -> None:
    response = client.get("/page")
    assert response.headers.get_list("Content-Security-Policy") == ["default-src 'self'"]


def test_https_is_required_once_deployed(start: Callable[..., TestClient]) -> None:
    client = start(environment="production", allowed_hosts="localhost")
    assert client.get("/livez").headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "a b"])
def test_another_host_is_refused_with_a_problem(client: TestClient, host: str) -> None:
    response = client.get("/page", headers={"Host": host})
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Content-Length"] == str(len(response.content))
    assert response.json()["detail"] == "Invalid host header"
    assert response.json()["request_id"] == response.headers["X-Request-ID"]


def test_a_health_probe_may_address_the_machine(client: TestClient) -> None:
    assert client.get("/livez", headers={"Host": "10.1.2.3:8000"}).status_code == 200


def test_a_body_at_the_limit_is_accepted(client: TestClient) -> None:
    assert client.post("/count", content=json_of_size(LIMIT), headers=JSON).json() == 1
    assert client.post("/count", content=in_chunks(json_of_size(LIMIT)), headers=JSON).json() == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_a_larger_body_is_refused_with_a_problem(client: TestClient, *, chunked: bool) -> None:
    body = json_of_size(LIMIT + 1)
    content = in_chunks(body) if chunked else body
    response = client.post("/count", content=content, headers=JSON)
    assert response.status_code == 413
    assert response.headers["Connection"] == "close"
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.json()["request_id"] == response.headers["X-Request-ID"]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_route_may_raise_the_limit(client: TestClient, *, chunked: bool) -> None:
    for size, status in [(2 * LIMIT, 200), (2 * LIMIT + 1, 413)]:
        body = json_of_size(size)
        content = in_chunks(body) if chunked else body
        assert client.post("/count-more", content=content, headers=JSON).status_code == status


def test_a_response_that_breaks_off_is_cut_and_logged(
    start: Callable[..., TestClient], capsys: pytest.CaptureFixture[str]
) -> None:
    client = start(router)
    with pytest.raises(RuntimeError, match="interrupted"):
        client.get("/interrupted")
    assert capsys.readouterr().out.count('"event": "unexpected_error"') == 1


@pytest.mark.parametrize(
    "path",
    [
        "/livez",
        "/readyz",
        "/docs",
        "/openapi.json",
        "/docs/assets/favicon.png",
        "/file",
        "/greeting",
        "/nowhere",
        # {% if telemetry %}
        "/metrics",
        # {% endif %}
    ],
)
def test_head_gives_the_headers_of_get(app: FastAPI, path: str) -> None:
    app.include_router(router)
    app.state.greeted = []
    with TestClient(app) as client:
        get, head = client.get(path), client.head(path)
    assert head.status_code == get.status_code
    assert head.headers.keys() == get.headers.keys()
    assert head.content == b""
    changing = {"x-request-id"}
    # {% if rate_limiting %}
    changing.add("ratelimit")
    # {% endif %}
    # {% if telemetry %}
    if path == "/metrics":
        changing.add("content-length")
    # {% endif %}
    for name in get.headers.keys() - changing:
        assert head.headers[name] == get.headers[name]


def test_head_does_what_get_does_afterwards(app: FastAPI) -> None:
    app.include_router(router)
    app.state.greeted = []
    with TestClient(app) as client:
        client.head("/greeting")
    assert app.state.greeted == ["GET"]


def test_head_ends_a_stream_that_has_no_end(client: TestClient) -> None:
    response = client.head("/endless")
    assert response.headers["X-Stream"] == "numbers"
    assert response.content == b""


def test_a_route_may_answer_head_for_itself(client: TestClient) -> None:
    assert client.head("/own-head").headers["X-Answer"] == "to HEAD"
    assert client.get("/own-head").headers["X-Answer"] == "to GET"


def test_head_is_refused_where_there_is_no_get(client: TestClient) -> None:
    response = client.head("/count")
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
    assert response.content == b""


def test_head_is_logged_as_head(
    start: Callable[..., TestClient], capsys: pytest.CaptureFixture[str]
) -> None:
    start(router).head("/page")
    line = next(line for line in capsys.readouterr().out.splitlines() if '"request"' in line)
    assert '"method": "HEAD"' in line
    assert '"route": "/page"' in line


def test_head_is_not_documented(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {path for path, item in paths.items() if "head" in item} == {"/own-head"}
