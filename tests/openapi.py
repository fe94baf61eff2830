"""Hold the OpenAPI document of a service against the standard, and against the service itself."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx2
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from referencing import Registry
from referencing.jsonschema import DRAFT202012

Document = dict[str, Any]
METHODS = ("get", "put", "post", "delete", "patch")
FORM = "application/x-www-form-urlencoded"


def expect_true_document(client: httpx2.Client) -> None:
    """Expect a valid document whose defaults and examples are accepted, and errors as they are."""
    document = client.get("/openapi.json").json()
    validate(document)
    for pointer, value in claims(document, ""):
        expect_valid(document, pointer, value)
    for path, method, operation in operations(document):
        expect_error_examples(path, operation["responses"])
        expect_accepted_examples(client, document, path, method, operation)


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    """Go through all operations, in the order of the document."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def claims(node: Any, pointer: str) -> Iterator[tuple[str, Any]]:
    """Find each default and example, with the JSON pointer of the schema that it must satisfy."""
    if isinstance(node, list):
        for index, value in enumerate(node):
            yield from claims(value, f"{pointer}/{index}")
    if not isinstance(node, dict):
        return
    if not pointer.endswith("/properties"):
        # beside a schema, as of a parameter or a media type, or within one
        schema = f"{pointer}/schema" if "schema" in node else pointer
        yield from ((schema, node[name]) for name in ("default", "example") if name in node)
        examples = node.get("examples", [])
        if isinstance(examples, dict):
            examples = [example["value"] for example in examples.values()]
        yield from ((schema, example) for example in examples)
    for name, value in node.items():
        if name not in {"default", "example", "examples"} or pointer.endswith("/properties"):
            step = name.replace("~", "~0").replace("/", "~1")
            yield from claims(value, f"{pointer}/{step}")


def expect_valid(document: Document, pointer: str, value: Any) -> None:
    """Expect a value to satisfy the schema at the pointer."""
    registry = Registry[Any]().with_resource("urn:document", DRAFT202012.create_resource(document))
    schema = {"$ref": f"urn:document#{quote(pointer)}"}
    errors = Draft202012Validator(schema, registry=registry).iter_errors(value)
    assert not [error.message for error in errors], pointer


def expect_error_examples(path: str, responses: Document) -> None:
    """Expect each documented problem to show its own status, under its own name."""
    for status, response in responses.items():
        if status >= "400":
            example = response["content"]["application/problem+json"]["example"]
            assert example["status"] == int(status), path
            assert example["title"] == response["description"], path


def expect_accepted_examples(
    client: httpx2.Client, document: Document, path: str, method: str, operation: Document
) -> None:
    """Send what Swagger UI sends if its proposals are left unchanged."""
    parameters = operation.get("parameters", [])
    if not parameters and "requestBody" not in operation:
        return
    given: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "header": {}}
    for parameter in parameters:
        schema = parameter["schema"]
        if parameter["required"] or schema.keys() & {"default", "examples"}:
            given[parameter["in"]][parameter["name"]] = sample(document, schema)
    body: dict[str, Any] = {}
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        value = sample(document, content["schema"])
        place, kind = path.replace("/", "~1"), media_type.replace("/", "~1")
        pointer = f"/paths/{place}/{method}/requestBody/content/{kind}/schema"
        expect_valid(document, pointer, value)
        body = {"data" if media_type == FORM else "json": value}
    response = client.request(
        method, path.format(**given["path"]), params=given["query"], headers=given["header"], **body
    )
    assert response.status_code != 422, (method, path, body, response.text)
    assert response.status_code < 500, (method, path, body, response.text)


def sample(document: Document, schema: Document) -> Any:
    """Propose a value for a schema, as Swagger UI does."""
    match schema:
        case {"examples": [value, *_]} | {"example": value} | {"default": value}:
            return value
        case {"const": value} | {"enum": [value, *_]}:
            return value
        case {"$ref": reference}:
            return sample(document, document["components"]["schemas"][reference.split("/")[-1]])
        case {"properties": properties}:
            return {name: sample(document, member) for name, member in properties.items()}
    values = {"array": [], "boolean": True, "integer": 0, "number": 0, "object": {}}
    return str(uuid4()) if schema.get("format") == "uuid" else values.get(schema["type"], "string")
