import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from fastapi import (
    APIRouter,
    Depends,
    FastAPI,
    Request,
    # {% if websockets %}
    WebSocket,
    # {% endif %}
)
from fastapi.responses import RedirectResponse
from fastapi.security import OAuth2PasswordBearer
from fastapi.testclient import TestClient
from pydantic import ValidationError
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount

from app.main import create_app
from app.settings import Settings

PROXY = "10.0.0.1"

shop = FastAPI()
router = APIRouter()


@shop.get("/drawers")
async def list_drawers_of_shop(request: Request) -> str:
    return str(request.url)


@router.get("/drawers")
@router.get("/api/closets")
async def list_drawers(request: Request) -> list[str]:
    return [str(request.url), str(request.url_for("list_drawers"))]


@router.get("/elsewhere/{number}")
async def go_elsewhere(number: int) -> RedirectResponse:
    return RedirectResponse(LOCATIONS[number][0])


# {% if websockets %}
@router.websocket("/talk")
async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(str(websocket.url))
    await websocket.close()


# {% endif %}
LOCATIONS = [
    ("/drawers?page=2#top", "/base/drawers?page=2#top"),
    ("/base/drawers", "/base/drawers"),
    ("/based", "/base/based"),
    ("drawers", "drawers"),
    ("//cdn.example.com/base", "//cdn.example.com/base"),
    ("https://example.com/drawers", "https://example.com/drawers"),
]


@pytest.fixture
def start_behind() -> Iterator[Callable[..., TestClient]]:
    """Start a service that is called from the address of a proxy."""
    with ExitStack() as stack:

        def start(**settings: Any) -> TestClient:
            app = create_app(Settings(environment="test", **settings))
            app.include_router(router)
            app.mount("/shop", shop)
            client = TestClient(app, client=(PROXY, 50_000), follow_redirects=False)
            return stack.enter_context(client)

        yield start


def test_a_path_with_another_slash_is_another_path(start_behind: Callable[..., TestClient]) -> None:
    client = start_behind()
    for path in ("/livez/", "/docs/", "/drawers/", "/shop/drawers/", "/shop"):
        for method in ("GET", "POST"):
            response = client.request(method, path)
            assert response.status_code == 404
            assert "Location" not in response.headers
            assert response.headers["Content-Type"] == "application/problem+json"


def test_applications_in_routers_do_not_redirect_either(
    start: Callable[..., TestClient],
) -> None:
    def new_shop() -> FastAPI:
        application = FastAPI()
        application.include_router(router)
        return application

    nested = APIRouter(
        routes=[
            Mount("/inner", app=new_shop()),
            Mount("/small", app=GZipMiddleware(new_shop())),
            Mount("/smaller", app=new_shop(), middleware=[Middleware(GZipMiddleware)]),
        ]
    )
    outer = APIRouter(prefix="/outer")
    outer.include_router(nested)
    client = start(outer)
    for name in ("inner", "small", "smaller"):
        assert client.get(f"/outer/{name}/drawers").status_code == 200
        response = client.get(f"/outer/{name}/drawers/", follow_redirects=False)
        assert response.status_code == 404


@pytest.mark.parametrize(
    ("proxies", "forwarded", "scheme"),
    [
        (PROXY, ["https"], "https"),
        (PROXY, ["HTTPS "], "https"),
        (PROXY, ["http, https"], "https"),
        (PROXY, ["http", "https"], "https"),
        (PROXY, ["https, http"], "http"),
        (PROXY, ["http"], "http"),
        (PROXY, ["javascript"], "http"),
        (PROXY, [], "http"),
        ("10.0.0.2", ["https"], "http"),
        ("", ["https"], "http"),
    ],
)
def test_trusted_proxies_alone_tell_the_scheme(
    start_behind: Callable[..., TestClient], proxies: str, forwarded: list[str], scheme: str
) -> None:
    client = start_behind(trusted_proxies=proxies)
    headers = [("X-Forwarded-Proto", value) for value in forwarded]
    urls = [f"{scheme}://testserver/drawers", f"{scheme}://testserver/api/closets"]
    assert client.get("/drawers", headers=headers).json() == urls
    # {% if websockets %}
    with client.websocket_connect("/talk", headers=dict(headers[-1:])) as websocket:
        secure = scheme == "https"
        assert websocket.receive_text() == f"{'wss' if secure else 'ws'}://testserver/talk"
    # {% endif %}


@pytest.mark.parametrize("root", ["/base", "/base/", "/api", "/a/b-c"])
@pytest.mark.parametrize("stripped", [True, False])
def test_a_service_below_a_path_knows_it(
    start_behind: Callable[..., TestClient], root: str, *, stripped: bool
) -> None:
    client = start_behind(root_path=root)
    root = root.rstrip("/")
    prefix = "" if stripped else root
    assert client.get(f"{prefix}/livez").status_code == 200
    base = f"http://testserver{root}"
    assert client.get(f"{prefix}/drawers").json() == [f"{base}/drawers", f"{base}/api/closets"]
    assert client.get(f"{prefix}/api/closets").json() == [f"{base}/api/closets"] * 2
    assert client.get(f"{prefix}/shop/drawers").json() == f"{base}/shop/drawers"
    assert client.get(f"{prefix}/nowhere").json()["instance"] == f"{root}/nowhere"
    # {% if websockets %}
    with client.websocket_connect(f"{prefix}/talk") as websocket:
        assert websocket.receive_text() == f"ws://testserver{root}/talk"
    # {% endif %}


@pytest.mark.parametrize("number", range(len(LOCATIONS)))
def test_a_location_that_is_a_path_is_below_the_root_path(
    start_behind: Callable[..., TestClient], number: int
) -> None:
    response = start_behind(root_path="/base").get(f"/elsewhere/{number}")
    assert response.headers["Location"] == LOCATIONS[number][1]


@pytest.mark.parametrize("stripped", [True, False])
def test_the_documentation_works_below_a_path(
    start_behind: Callable[..., TestClient], *, stripped: bool
) -> None:
    client = start_behind(root_path="/base")
    prefix = "" if stripped else "/base"
    for page in ("/docs", "/redoc"):
        html = client.get(f"{prefix}{page}").text
        sources = re.findall(r"""(?:src|href|spec-url)="([^"]+)"|url: '([^']+)'""", html)
        addresses = [first or second for first, second in sources]
        assert "/base/openapi.json" in addresses
        for address in addresses:
            assert address.startswith("/base/")
            inside = address.removeprefix("/base") if stripped else address
            assert client.get(inside).status_code == 200
    assert client.get(f"{prefix}/openapi.json").json()["servers"] == [{"url": "/base"}]


@pytest.mark.parametrize("url", ["/oauth/token", "oauth/token"])
def test_tokens_are_asked_for_below_the_root_path(
    start_behind: Callable[..., TestClient], url: str
) -> None:
    client = start_behind(root_path="/base")
    application = client.app
    assert isinstance(application, FastAPI)
    bearer = OAuth2PasswordBearer(tokenUrl=url, scheme_name="Mine")

    @application.get("/token-holder")
    async def read(token: str = Depends(bearer)) -> str:
        return token

    schemes = client.get("/openapi.json").json()["components"]["securitySchemes"]
    for scheme in schemes.values():
        for name, address in scheme["flows"]["password"].items():
            assert not name.endswith("Url") or address.startswith("/base/")


@pytest.mark.parametrize(
    "path", ["base", "/base path", "/base?x=1", "//base", "https://a/base", "/ä"]
)
def test_a_root_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(ValidationError, match="begins with a slash"):
        Settings(environment="test", root_path=path)


@pytest.mark.parametrize("path", ["", "/"])
def test_the_root_path_may_be_the_root(path: str) -> None:
    assert Settings(environment="test", root_path=path).root_path == ""
