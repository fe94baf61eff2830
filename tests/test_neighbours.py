"""Two projects share nothing by default, though they have one Redis, one database server, one secret."""

import json
import subprocess
import time
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from tests.projects import Snapshot
from tests.questions import Answers, preset
from tests.redis_servers import RedisServer, redis_server
from tests.rendering import render, write
from tests.services import PRODUCTION, Service, booted, install, migrate
from tests.test_deploy_aws import Loader

SLUGS = ("first-shop", "second-shop")
EMAIL, PASSWORD = "ann@example.com", "correct horse battery staple"


def find_names(files: Snapshot) -> dict[str, set[str]]:
    """Collect what a project calls itself, by the place where it could meet another."""
    texts = {name: content.decode() for name, (_, content) in files.items()}
    compose = yaml.safe_load(texts["compose.yaml"])
    registry = yaml.load(texts["deploy/aws/registry.yaml"], Loader)  # noqa: S506  it is a safe one
    names = {
        "compose": {compose["name"]},
        "image": {compose["services"]["web"]["image"]},
        "package": {tomllib.loads(texts["pyproject.toml"])["project"]["name"]},
        "heroku": {json.loads(texts["app.json"])["name"]},
        "development container": {json.loads(texts[".devcontainer/devcontainer.json"])["name"]},
        "registry": {registry["Resources"]["Repository"]["Properties"]["RepositoryName"]},
        "code": {json.loads(texts["app/project.json"])["slug"]},
        "namespace": set(),
        "settings": set(),
    }
    for name, text in texts.items():
        if name.startswith("deploy/kubernetes") and "namespace" in (
            document := yaml.safe_load(text.split("\n---\n")[0])
        ):
            names["namespace"].add(document["namespace"])
    for line in texts[".env.example"].splitlines():
        setting, _, value = line.partition("=")
        if setting in {"JWT_ISSUER", "JWT_AUDIENCE", "REDIS_NAMESPACE"}:
            names["settings"].add(value)
    return names


def test_no_name_of_one_is_a_name_of_the_other(template: Path) -> None:
    first, second = (
        find_names(render(template, {**preset("full"), "project_slug": slug})) for slug in SLUGS
    )
    for place, names in first.items():
        assert names, place
        assert not names & second[place], place


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def projects(template: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two installed projects, which know nothing of each other."""
    folder = tmp_path_factory.mktemp("neighbours")
    answers: Answers = {**preset("full"), "telemetry": False}
    projects = [write(template, folder, {**answers, "project_slug": slug}) for slug in SLUGS]
    install(projects[0])
    (projects[1] / ".venv").symlink_to(projects[0] / ".venv")
    return projects


@contextmanager
def worker(project: Path, **settings: str) -> Iterator[None]:
    """Run a worker of a service."""
    process = subprocess.Popen(
        [project / ".venv" / "bin" / "python", "-m", "app.jobs.worker"],
        cwd=project,
        env={**PRODUCTION, **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def log_in(service: Service) -> httpx2.Client:
    """Give a client with a token of this service; the account may be there already."""
    client = httpx2.Client(base_url=f"{service.url}/api/v1", timeout=20)
    client.post("/auth/register", json={"email": EMAIL, "password": PASSWORD})
    form = {"grant_type": "password", "username": EMAIL, "password": PASSWORD}
    token = client.post("/auth/token", data=form).json()["access_token"]
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def submit(client: httpx2.Client) -> str:
    """Submit a job, and give its id."""
    response = client.post("/jobs", json={"task": "report", "name": "stock"})
    assert response.status_code == 202, response.text
    job: str = response.json()["id"]
    return job


def read_state(client: httpx2.Client, job: str) -> Any:
    """Read how far a job has come."""
    return client.get(f"/jobs/{job}").json()["state"]


@pytest.mark.slow
def test_services_with_one_redis_and_one_secret_share_neither_tokens_nor_jobs(
    projects: list[Path], redis: RedisServer
) -> None:
    # one database, too: only then would the other know the user whom a token names
    shared = {"REDIS_URL": redis.url, "DATABASE_URL": f"sqlite:///{projects[0]}/both.db"}
    migrate(projects[0], shared)
    with ExitStack() as stack:
        services = [stack.enter_context(booted(project, **shared)) for project in projects]
        first, second = (log_in(service) for service in services)
        assert first.get("/users/me").status_code == 200
        stranger = httpx2.Client(base_url=second.base_url, headers=first.headers)
        assert stranger.get("/users/me").status_code == 401

        waiting = submit(first)
        done = submit(second)
        assert second.get(f"/jobs/{waiting}").status_code == 404
        # the worker takes the oldest first, so it would have taken the other's
        stack.enter_context(worker(projects[1], **shared))
        deadline = time.monotonic() + 60
        while read_state(second, done) != "succeeded":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert read_state(first, waiting) == "queued"

        for client in (first, second):
            assert client.get("/items").status_code == 200
        names = redis.command("KEYS", "*") + "\n" + redis.command("PUBSUB", "CHANNELS")
        assert {name.partition(":")[0] for name in names.split()} == set(SLUGS)
