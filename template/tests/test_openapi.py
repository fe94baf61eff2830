import re
import tomllib
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Query
from fastapi.testclient import TestClient
from pydantic import BaseModel

from app.problems import problem_responses
from app.project import PROJECT

PAGES = ["/docs", "/redoc"]


class Parcel(BaseModel):
    weight: float


def describe(client: TestClient, path: str, method: str) -> dict[str, Any]:
    """Give the documented responses of an operation."""
    document = client.get("/openapi.json").json()
    responses: dict[str, Any] = document["paths"][path][method]["responses"]
    return responses


def test_name_and_version_are_those_of_the_project(client: TestClient) -> None:
    pyproject = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())
    info = client.get("/openapi.json").json()["info"]
    assert info["title"] == PROJECT["title"]
    assert info["version"] == pyproject["project"]["version"]


def test_every_operation_documents_its_problems(app: FastAPI, client: TestClient) -> None:
    @app.put("/parcels/{number}", responses=problem_responses(409))
    async def replace_parcel(number: int, parcel: Parcel) -> Parcel:
        return parcel

    responses = describe(client, "/parcels/{number}", "put")
    statuses = ["200", "400", "404", "409", "413", "422", "500"]
    # {% if rate_limiting %}
    statuses.insert(-1, "429")
    # {% endif %}
    assert list(responses) == statuses
    for status, response in responses.items():
        if status != "200":
            content = response["content"]["application/problem+json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
            assert content["example"]["status"] == int(status)
            assert content["example"]["title"] == response["description"]
    assert list(describe(client, "/livez", "get")) == ["200", "400", "500"]


def test_fastapis_own_error_form_is_not_documented(app: FastAPI, client: TestClient) -> None:
    @app.get("/parcels")
    async def list_parcels(limit: int) -> int:
        return limit

    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert "HTTPValidationError" not in schemas
    assert {"Problem", "InvalidPart"} <= schemas.keys()
    assert "HTTPValidationError" not in client.get("/openapi.json").text


def test_a_route_may_document_a_422_of_its_own(app: FastAPI, client: TestClient) -> None:
    @app.get("/parcels", responses={422: {"description": "Too heavy"}})
    async def list_parcels(limit: int) -> int:
        return limit

    assert describe(client, "/parcels", "get")["422"]["description"] == "Too heavy"


@pytest.mark.parametrize("page", PAGES)
def test_pages_load_only_what_the_service_serves(client: TestClient, page: str) -> None:
    html = client.get(page).text
    sources = re.findall(r"""(?:src|href|spec-url)="([^"]+)"|url: '([^']+)'""", html)
    addresses = [first or second for first, second in sources]
    assert "/openapi.json" in addresses
    assert len(addresses) >= 3
    for address in addresses:
        assert client.get(address).status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_the_policy_of_a_page_allows_its_own_scripts_alone(client: TestClient, page: str) -> None:
    response = client.get(page)
    scripts = re.findall(r"<script>(.*?)</script>", response.text, re.DOTALL)
    hashes = [b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    expected = " ".join(["script-src 'self'", *(f"'sha256-{digest}'" for digest in hashes)])
    assert expected in response.headers["Content-Security-Policy"].split("; ")


@pytest.mark.parametrize("page", PAGES)
def test_the_name_of_the_service_is_no_html(
    start: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.setitem(PROJECT, "title", "</title><script>alert(1)</script>")
    html = start().get(page).text
    assert "<title>&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;</title>" in html


@pytest.mark.parametrize("page", PAGES)
def test_pages_work_behind_a_path_prefix(app: FastAPI, page: str) -> None:
    with TestClient(app, root_path="/shop") as client:
        html = client.get(page).text
    assert "/shop/openapi.json" in html
    assert '"/shop/docs/assets/' in html
    assert '"/docs/assets/' not in html


def test_a_default_that_is_refused_is_not_documented(app: FastAPI, client: TestClient) -> None:
    @app.get("/parcels")
    async def list_parcels(
        weight: Annotated[str, Query(pattern="^[0-9]+$")] = "",
        label: Annotated[str, Query(min_length=1)] = "",
        sender: Annotated[str, Query(pattern=r"^[a-z]*$")] = "",
        street: Annotated[str, Query(pattern=r"^\p{L}*$")] = "",
    ) -> str:
        return weight + label + sender + street

    parameters = client.get("/openapi.json").json()["paths"]["/parcels"]["get"]["parameters"]
    kept = {parameter["name"] for parameter in parameters if "default" in parameter["schema"]}
    assert kept == {"sender", "street"}
    assert client.get("/parcels").status_code == 200


def test_the_root_leads_to_the_documentation(start: Callable[..., TestClient]) -> None:
    response = start().get("/", follow_redirects=False)
    assert response.status_code == 307
    assert response.headers["Location"] == "/docs"
    below = start(root_path="/shop")
    for path in ("/", "/shop", "/shop/"):
        assert below.get(path, follow_redirects=False).headers["Location"] == "/shop/docs"
    assert below.post("/").status_code == 404
    assert "/" not in below.get("/openapi.json").json()["paths"]


def test_a_root_of_your_own_goes_first(app: FastAPI, client: TestClient) -> None:
    @app.get("/")
    async def greet() -> str:
        return "hello"

    assert client.get("/").json() == "hello"


def test_docs_can_be_switched_off(start: Callable[..., TestClient]) -> None:
    client = start(docs_enabled=False)
    for path in ["/", *PAGES, "/openapi.json", "/docs/assets/swagger-ui.css"]:
        assert client.get(path).status_code == 404
