"""Every error is a problem as RFC 9457 describes it: application/problem+json."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from http.client import responses
from typing import Any, Self
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, TypeAdapter
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from app.routes import methods_of

PROBLEM_MEDIA_TYPE = "application/problem+json"
# Members that have a meaning of their own (RFC 9457, section 3.1), and our own one.
STANDARD_MEMBERS = frozenset({"type", "title", "status", "detail", "instance", "request_id"})
# Headers that describe another body than the problem.
BODY_HEADERS = ("Content-Encoding", "Content-Length", "Content-Type")
ANYTHING: TypeAdapter[Any] = TypeAdapter(Any, config=ConfigDict(ser_json_bytes="base64"))


class InvalidPart(BaseModel):
    """One thing that is wrong, and where: in the request, or in the report of /readyz."""

    detail: str
    pointer: str


class Problem(BaseModel):
    """What went wrong."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    request_id: str | None = None
    errors: list[InvalidPart] | None = None

    @classmethod
    def of(cls, error: "ProblemError", *, instance: str, request_id: str | None) -> Self:
        """Describe an error: what was asked for, and by which request."""
        return cls(
            title=error.title or title_of(error.status),
            status=error.status,
            detail=error.detail,
            instance=instance,
            request_id=request_id,
            errors=list(error.errors) or None,
        )


class ProblemError(Exception):
    """An error to tell the caller about; raise it, or a subclass with a name, anywhere.

    A subclass may set `extensions`: further members of the problem (RFC 9457, section 3.2).
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        title: str | None = None,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[InvalidPart] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.title = title
        self.headers = headers
        self.errors = errors
        self.extensions: Mapping[str, Any] = {}


def problem_response(scope: Scope, error: ProblemError) -> Response:
    """Write the error as a response to the request in scope."""
    problem = Problem.of(
        error,
        instance=quote(scope["path"]),
        request_id=scope.get("state", {}).get("request_id"),
    )
    headers = MutableHeaders(error.headers)
    for name in BODY_HEADERS:
        del headers[name]
    if "GET" in (methods := headers.get("Allow", "").split(", ")):
        headers["Allow"] = ", ".join(sorted({*methods, "HEAD"}))
    response = JSONResponse(
        dict(error.extensions) | problem.model_dump(exclude_none=True),
        status_code=error.status,
        headers=headers,
        media_type=PROBLEM_MEDIA_TYPE,
    )
    if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        # Nobody reads the rest of the body, so the connection ends here (RFC 9110, 15.5.14).
        response.headers["Connection"] = "close"
    return response


def problem_from(
    status: int, reason: object, headers: Mapping[str, str] | None = None
) -> ProblemError:
    """Describe an error by what FastAPI calls its detail: a text, or any other JSON value.

    The members of an object become members of the problem. What cannot be one, such as a list or a
    `type` of the caller's own, is in the member `details`.
    """
    content = json.loads(ANYTHING.dump_json(reason, fallback=str))
    if isinstance(content, str):
        content = {"detail": content}
    elif content is not None and not isinstance(content, dict):
        content = {"details": content}
    members = dict(content or {})
    texts = {
        name: (members.pop(name, None) or "").strip()
        for name in ("title", "detail")
        if isinstance(members.get(name), str | None)
    }
    taken = {name: members.pop(name) for name in STANDARD_MEMBERS & members.keys()}
    detail = texts.get("detail") or title_of(status)
    error = ProblemError(status, detail, title=texts.get("title"), headers=headers)
    error.extensions = {"details": taken} | members if taken else members
    return error


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document problems of an operation: `@router.get(..., responses=problem_responses(409))`."""
    schema = {"$ref": "#/components/schemas/Problem"}
    content = {PROBLEM_MEDIA_TYPE: dict(schema=schema)}
    return {status: {"description": title_of(status), "content": content} for status in statuses}


def title_of(status: int) -> str:
    """Give the status its usual name."""
    return responses.get(status, "Error")


def add_problem_handlers(app: FastAPI) -> None:
    """Answer with problems; what nobody foresaw is left to `UnexpectedErrors`."""
    app.exception_handler(ProblemError)(handle_problem)
    app.exception_handler(HTTPException)(handle_http_exception)
    app.exception_handler(RequestValidationError)(handle_invalid_request)


async def handle_problem(request: Request, error: ProblemError) -> Response:
    """Answer with the problem that was raised."""
    return problem_response(request.scope, error)


async def handle_http_exception(request: Request, error: HTTPException) -> Response:
    """Answer FastAPI's own errors with a problem; what is no error has no body."""
    if error.status_code < 400:
        return Response(status_code=error.status_code, headers=error.headers)
    headers = dict(error.headers or {})
    if "Allow" in headers:
        headers["Allow"] = ", ".join(sorted(methods_of(request.scope)))
    return problem_response(request.scope, problem_from(error.status_code, error.detail, headers))


async def handle_invalid_request(request: Request, error: RequestValidationError) -> Response:
    """Point at each invalid part of the request, without repeating what was sent."""
    errors = [
        InvalidPart(detail=fault["msg"], pointer=pointer_to(fault)) for fault in error.errors()
    ]
    problem = ProblemError(422, "The request is not valid.", errors=errors)
    return problem_response(request.scope, problem)


def pointer_to(fault: Mapping[str, Any]) -> str:
    """Write the place of a fault as a JSON pointer in a URI fragment (RFC 6901, section 6)."""
    # FastAPI gives the offset of a syntax error, which is no member of the body.
    location = fault["loc"][:1] if fault["type"] == "json_invalid" else fault["loc"]
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in location)
    return "#/" + "/".join(quote(step, safe="~") for step in steps)
