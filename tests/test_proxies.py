"""Behind a real proxy a service knows its scheme and its path, whatever serves it."""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import httpx2
import pytest
from websockets.sync.client import connect

from tests.projects import check
from tests.rendering import write
from tests.services import add_own_router, booted, free_port, install, migrate, need

pytestmark = pytest.mark.slow

ROOT = "/shop"
PROXY = """
global
  maxconn 100
defaults
  mode http
  timeout connect 5s
  timeout client 20s
  timeout server 20s
frontend service
  bind 127.0.0.1:{port}
  http-request set-header X-Forwarded-Proto https
  http-request deny unless {{ path_beg /shop/ }}
  {strip}
  default_backend service
backend service
  server service 127.0.0.1:{service}
"""
"""A proxy that serves only what is below the path, and claims to speak TLS."""

STRIP = "http-request replace-path /shop(/.*) \\1"
OWN_ROUTER = '''"""A router of the owner's, who knows of no proxy."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse

router = APIRouter(prefix="/notes")


@router.get("")
async def list_notes(request: Request) -> list[str]:
    """Return the address of the request, and the address of this route."""
    return [str(request.url), str(request.url_for("list_notes"))]


@router.get("/old")
async def find_old_notes() -> RedirectResponse:
    """Redirect to the notes."""
    return RedirectResponse("/notes")
'''
SERVERS = {
    "granian": ["app"],
    "uvicorn": ["uvicorn", "app.main:app", "--no-proxy-headers"],
}


@pytest.fixture(scope="module")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an installed project without rate limiting."""
    answers = {"database": "sqlite", "rate_limiting": False, "websockets": True}
    project = write(template, tmp_path_factory.mktemp("proxies"), answers)
    install(project)
    python = project / ".venv" / "bin" / "python"
    check("uv", "pip", "install", "--quiet", "--python", python, "uvicorn[standard]", cwd=project)
    add_own_router(project)
    (project / "app" / "notes.py").write_text(OWN_ROUTER, "utf-8")
    return project


@contextmanager
def proxied(folder: Path, service: int, strip: str) -> Iterator[str]:
    """Run a proxy in front of the port of a service, and give its address."""
    need(shutil.which("haproxy"), "needs haproxy")
    port = free_port()
    config = folder / "haproxy.cfg"
    config.write_text(PROXY.format(port=port, service=service, strip=strip), "utf-8")
    process = subprocess.Popen(["haproxy", "-db", "-f", str(config)], start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 30
        while not answers(f"{url}{ROOT}/livez"):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def answers(url: str) -> bool:
    """Whether the address responds with 200."""
    try:
        return httpx2.get(url).status_code == 200
    except httpx2.TransportError:
        return False


@pytest.mark.parametrize("strip", [STRIP, ""], ids=["prefix removed", "prefix kept"])
@pytest.mark.parametrize("server", SERVERS)
def test_a_service_behind_a_proxy_knows_where_it_is(
    project: Path, tmp_path: Path, server: str, strip: str
) -> None:
    port = free_port()
    settings = {"ROOT_PATH": ROOT, "TRUSTED_PROXIES": "127.0.0.0/8", "PORT": str(port)}
    settings["DATABASE_URL"] = f"sqlite:///{tmp_path}/app.db"
    module = [*SERVERS[server], *(["--port", str(port)] if server == "uvicorn" else [])]
    migrate(project, settings)
    with (
        booted(project, module=module, **settings),
        proxied(tmp_path, port, strip) as url,
        httpx2.Client(base_url=url, follow_redirects=False) as client,
    ):
        secure = url.replace("http:", "https:")
        here = [f"{secure}{ROOT}/notes"] * 2
        assert client.get(f"{ROOT}/notes").json() == here
        assert client.get(f"{ROOT}/notes/").status_code == 404
        redirect = client.get(f"{ROOT}/notes/old")
        assert redirect.status_code == 307
        assert client.get(redirect.headers["Location"]).json() == here
        expect_documentation(client)
        expect_items(client)
        expect_rooms(client, url)


def expect_documentation(client: httpx2.Client) -> None:
    """Load what the documentation pages load."""
    for page in ("/docs", "/redoc"):
        html = client.get(f"{ROOT}{page}").text
        for address in re.findall(r"""(?:src|href|spec-url)="([^"]+)\"""", html):
            assert client.get(address).status_code == 200, address
    assert f"url: '{ROOT}/openapi.json'" in client.get(f"{ROOT}/docs").text
    document = client.get(f"{ROOT}/openapi.json").json()
    assert document["servers"] == [{"url": ROOT}]


def expect_items(client: httpx2.Client) -> None:
    """Log in at the address in the document, and follow the Location of a new item."""
    account = {"email": "ann@example.com", "password": "correct horse battery staple"}
    assert client.post(f"{ROOT}/api/v1/auth/register", json=account).status_code == 202
    document = client.get(f"{ROOT}/openapi.json").json()
    (scheme,) = document["components"]["securitySchemes"].values()
    form = {"grant_type": "password", "username": account["email"], "password": account["password"]}
    tokens = client.post(scheme["flows"]["password"]["tokenUrl"], data=form).json()
    client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    created = client.post(f"{ROOT}/api/v1/items", json={"name": "Lamp"})
    assert client.get(created.headers["Location"]).json() == created.json()
    missing = client.get(f"{ROOT}/api/v1/items/none")
    assert missing.json()["instance"] == f"{ROOT}/api/v1/items/none"


def expect_rooms(client: httpx2.Client, url: str) -> None:
    """Load what the page of rooms loads, and open a connection where it does."""
    page = f"{url}{ROOT}/rooms"
    html = client.get(page).text
    for address in re.findall(r'(?:src|href)="([^"]+)"', html):
        assert client.get(urljoin(page, address)).status_code == 200, address
    address = f"{url.replace('http:', 'ws:')}{ROOT}/api/v1/rooms/lobby?name=Ann"
    token = client.headers["Authorization"].removeprefix("Bearer ")
    with connect(address, subprotocols=["bearer", token]) as room:  # type: ignore[list-item]
        assert '"welcome"' in str(room.recv(timeout=10))
