import re
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from app import API_PREFIX
from app.rooms.demo import FOLDER

POLICY = (
    "default-src 'none'; base-uri 'none'; connect-src 'self'; form-action 'none'; "
    "frame-ancestors 'none'; script-src 'self'; style-src 'self'"
)


def test_the_page_keeps_to_a_strict_policy(client: TestClient) -> None:
    page = client.get("/rooms")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Content-Security-Policy"] == POLICY
    assert not re.search(r"<style|style=|<script[^>]*>[^<]|\son\w+=", page.text)


def test_the_page_brings_all_of_its_files(client: TestClient) -> None:
    files = set(re.findall(r'(?:src|href)="rooms/(files/[^"]+)"', client.get("/rooms").text))
    for script in [file for file in files if file.endswith(".js")]:
        text = client.get(f"/rooms/{script}").text
        files |= {f"files/{name}" for name in re.findall(r'from "\./([^"]+)"', text)}
    written = {file.name for file in FOLDER.iterdir()}
    assert files == {f"files/{name}" for name in written - {"index.html"}}
    for file in files:
        response = client.get(f"/rooms/{file}")
        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith(("text/css", "text/javascript"))


# {% if jwt_auth %}
def test_the_page_says_where_to_register(client: TestClient) -> None:
    link = re.search(r'href="(docs)#/auth"', client.get("/rooms").text)
    assert link
    assert client.get(f"/{link[1]}").status_code == 200


# {% endif %}
def test_the_page_calls_this_service(client: TestClient) -> None:
    assert f"../..{API_PREFIX}/" in client.get("/rooms/files/room.js").text


@pytest.mark.parametrize("path", ["/rooms", "/rooms/files/page.css"])
def test_there_is_no_page_without_documentation(
    start: Callable[..., TestClient], path: str
) -> None:
    assert start(docs_enabled=False).get(path).status_code == 404
