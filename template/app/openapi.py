"""The description of the service, and its pages, which need no network."""

import json
import re
from base64 import b64encode
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from html import escape
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from pydantic.json_schema import models_json_schema
from secure import ContentSecurityPolicy
from starlette.types import ASGIApp, Receive, Scope, Send

# {% if rate_limiting %}
from app.health import HEALTH_PATHS
# {% endif %}
from app.problems import PROBLEM_MEDIA_TYPE, InvalidPart, Problem, problem_responses, title_of
from app.routes import path_of

OPENAPI_PATH = "/openapi.json"
ASSETS_PATH = "/docs/assets"
INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def complete_document(app: FastAPI) -> None:
    """Describe every error as a problem, and where tokens are given below `ROOT_PATH`."""
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        document = describe()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        if Problem.__name__ not in schemas:
            schemas.update(problem_schemas())
            schemas.pop("HTTPValidationError", None)
            schemas.pop("ValidationError", None)
            for schema in list(schemas.values()):
                drop_refused_defaults(schema.get("properties", {}).values())
            for path, operations in document["paths"].items():
                for operation in operations.values():
                    add_problems(path, operation)
                    parameters = operation.get("parameters", ())
                    drop_refused_defaults(parameter["schema"] for parameter in parameters)
            add_root_path(document, app.root_path)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def drop_refused_defaults(schemas: Iterable[dict[str, Any]]) -> None:
    """Drop empty defaults that their own schemas refuse: they stand for what is left out."""
    for schema in schemas:
        if schema.get("default") == "" and (schema.get("minLength") or not may_be_empty(schema)):
            del schema["default"]


def may_be_empty(schema: dict[str, Any]) -> bool:
    """Whether an empty text fits the pattern of a schema, as far as Python can tell."""
    with suppress(re.error):
        return bool(re.search(schema.get("pattern", ""), ""))
    return True


def add_root_path(document: dict[str, Any], root: str) -> None:
    """Put the root path in front of the paths at which tokens are given."""
    for scheme in document["components"].get("securitySchemes", {}).values():
        for flow in scheme.get("flows", {}).values() if root else ():
            for name, url in flow.items():
                if name.endswith("Url") and "://" not in url:
                    flow[name] = f"{root}/{url.removeprefix('/')}"


def problem_schemas() -> dict[str, Any]:
    """Give the JSON schemas of a problem and its parts by name."""
    _, document = models_json_schema(
        [(Problem, "serialization")], ref_template="#/components/schemas/{model}"
    )
    schemas: dict[str, Any] = document["$defs"]
    return schemas


def add_problems(path: str, operation: dict[str, Any]) -> None:
    """Document the problems that any such operation can meet."""
    documented = operation["responses"]
    statuses = {400, 500}
    if "422" in documented:
        statuses.add(422)
    if "{" in path:
        statuses.add(404)
    if "requestBody" in operation:
        statuses.add(413)
    # {% if rate_limiting %}
    if path not in HEALTH_PATHS:
        statuses.add(429)
    # {% endif %}
    for status, response in problem_responses(*sorted(statuses)).items():
        ours = str(status)
        if ours not in documented or uses_default_form(documented[ours]):
            documented[ours] = response
    for status, response in documented.items():
        content = response.get("content", {}).get(PROBLEM_MEDIA_TYPE)
        if content and status.isdigit() and not content.keys() & {"example", "examples"}:
            content = content | {"example": example_problem(int(status), path)}
            documented[status] = response | {"content": {PROBLEM_MEDIA_TYPE: content}}
    operation["responses"] = dict(sorted(documented.items()))


def example_problem(status: int, path: str) -> dict[str, Any]:
    """Describe a problem as the operation at the path responds with it."""
    invalid = InvalidPart(detail="Field required", pointer="#/body/name")
    problem = Problem(
        title=title_of(status),
        status=status,
        detail="The request is not valid." if status == 422 else title_of(status),
        instance=path,
        request_id="b0c1f6a2d3e44f5a8b7c9d0e1f2a3b4c",
        errors=[invalid] if status == 422 else None,
    )
    return problem.model_dump(exclude_none=True)


def uses_default_form(response: dict[str, Any]) -> bool:
    """Whether FastAPI has documented its own form of a validation error."""
    return "HTTPValidationError" in json.dumps(response)


def add_docs(app: FastAPI) -> None:
    """Serve Swagger UI at /docs and ReDoc at /redoc, if the description is served at all."""
    complete_document(app)
    if app.openapi_url is None:
        return

    title = escape(app.title)

    @app.get("/docs", include_in_schema=False)
    async def swagger_ui(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "").rstrip("/")
        return with_content_security_policy(
            get_swagger_ui_html(
                openapi_url=f"{root}{OPENAPI_PATH}",
                title=title,
                swagger_js_url=f"{root}{ASSETS_PATH}/swagger-ui-bundle.js",
                swagger_css_url=f"{root}{ASSETS_PATH}/swagger-ui.css",
                swagger_favicon_url=f"{root}{ASSETS_PATH}/favicon.png",
            )
        )

    @app.get("/redoc", include_in_schema=False)
    async def redoc(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "").rstrip("/")
        return with_content_security_policy(
            get_redoc_html(
                openapi_url=f"{root}{OPENAPI_PATH}",
                title=title,
                redoc_js_url=f"{root}{ASSETS_PATH}/redoc.standalone.js",
                redoc_favicon_url=f"{root}{ASSETS_PATH}/favicon.png",
                with_google_fonts=False,
            )
        )

    app.router.default = StartPage(app.router.default)
    assets = StaticFiles(packages=[("fastapi_offline", "static")])
    app.mount(ASSETS_PATH, assets, name="docs-assets")


class StartPage:
    """Lead from `/` to the documentation, unless there is a route for it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that matches no route."""
        is_start = scope["type"] == "http" and scope["method"] == "GET" and path_of(scope) == "/"
        respond = RedirectResponse("/docs") if is_start else self.app
        await respond(scope, receive, send)


def with_content_security_policy(page: HTMLResponse) -> HTMLResponse:
    """Allow the page its own files and inline scripts, and nothing from elsewhere."""
    scripts = INLINE_SCRIPT.findall(bytes(page.body).decode())
    hashes = [b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    policy = (
        ContentSecurityPolicy()
        .default_src("'none'")
        .connect_src("'self'")
        .frame_ancestors("'none'")
        .img_src("'self'", "data:")
        .script_src("'self'", *(f"'sha256-{digest}'" for digest in hashes))
        .style_src("'self'", "'unsafe-inline'")
        .worker_src("blob:")
    )
    page.headers[policy.header_name] = policy.header_value
    return page
