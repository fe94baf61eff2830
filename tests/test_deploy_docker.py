"""The container image and the compose stack work: they are built, started, called and stopped."""

import json
import re
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from secrets import token_hex, token_urlsafe
from typing import Any

import httpx2
import pytest

from tests.docker_engine import STAND_INS, Docker, docker_engine
from tests.projects import BIN, check, commit_all
from tests.questions import NASTY, QUESTIONS, Answers, preset
from tests.rendering import write
from tests.services import free_port, use_environment

slow = pytest.mark.slow

PYTHON = {"python_version": STAND_INS["python"].removeprefix("python:").removesuffix("-slim")}
BARE: Answers = {**PYTHON, "jwt_auth": False, "cors": False, "rate_limiting": False}
FULL: Answers = {**preset("full"), **PYTHON}
ONE_FILE: Answers = {**PYTHON, "database": "sqlite", "jwt_auth": False}
MINIMAL: Answers = {**BARE, "database": "none"}

DATABASES = {
    "postgresql": {"migrate", "postgres"},
    "sqlite": {"migrate"},
    "none": set[str](),
}
SHARING = {
    "background_tasks": {"redis", "scheduler", "worker"},
    "caching": {"redis"},
    "nothing": set[str](),
}
"""The containers that come with each answer, beside `web`."""

COMBINATIONS: dict[str, Answers] = {
    f"{database}-{shared}": {
        **BARE,
        "database": database,
        "jwt_auth": database == "postgresql",
        **({shared: True} if shared in QUESTIONS else {}),
    }
    for database in DATABASES
    for shared in SHARING
    if (database, shared) != ("none", "caching")  # which is refused
} | {
    "longest-slug": {**FULL, "project_slug": "a" + "-b2" * 16 + "z"},
    "nasty": {**FULL, "project_name": NASTY, "project_slug": "nasty", "description": NASTY},
}

LOOK_AT_BYTECODE = """
import importlib.util, pathlib, fastapi
for folder in ("/app/app", pathlib.Path(fastapi.__file__).parent):
    for source in pathlib.Path(folder).rglob("*.py"):
        bytecode = pathlib.Path(importlib.util.cache_from_source(source)).read_bytes()
        seconds, size = (int.from_bytes(bytecode[at : at + 4], "little") for at in (8, 12))
        assert (seconds, size) == (int(source.stat().st_mtime), source.stat().st_size), source
"""
"""Bytecode names the time and the size of the source that it is for (PEP 552)."""


@pytest.fixture(scope="session")
def docker() -> Iterator[Docker]:
    """Give a Docker that works."""
    with docker_engine() as docker:
        yield docker


@pytest.mark.parametrize("host", ["github", "gitlab"])
def test_without_docker_there_is_no_trace_of_it(template: Path, tmp_path: Path, host: str) -> None:
    project = write(template, tmp_path, {"docker": False, "ci": host})
    for name in (".dockerignore", "Dockerfile", "compose.yaml"):
        assert not (project / name).exists()
    for name in ("Makefile", "README.md", ".github/workflows/ci.yml", ".gitlab-ci.yml"):
        if (project / name).exists():
            assert "docker" not in (project / name).read_text("utf-8").lower(), name


@slow
@pytest.mark.parametrize("answers", COMBINATIONS.values(), ids=COMBINATIONS)
def test_the_files_are_valid_and_start_no_more_than_is_needed(
    docker: Docker, template: Path, tmp_path: Path, answers: Answers
) -> None:
    project = write(template, tmp_path, answers)
    check(BIN / "hadolint", "Dockerfile", cwd=project)
    schema = ("--builtin-schema", "vendor.compose-spec")
    check(BIN / "check-jsonschema", *schema, "compose.yaml", cwd=project)

    example = (project / ".env.example").read_text("utf-8")
    settings = dict(re.findall(r"^([A-Z_]+)=(.*)$", example, re.MULTILINE))
    secrets = {"AUTH_SECRETS": token_urlsafe(48), "POSTGRES_PASSWORD": "a'b\"c@d:e/f"}
    (project / ".env").write_text(example, "utf-8")
    config = docker.check("compose", "config", "--format", "json", cwd=project, **secrets)
    stack = json.loads(config)

    shared = [name for name in SHARING if answers.get(name)]
    expected = {"web"}.union(DATABASES[answers.get("database", "postgresql")])
    assert set(stack["services"]) == expected.union(*(SHARING[name] for name in shared))
    services = stack["services"].values()
    for service in services:
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        if service["image"] == stack["name"]:
            environment = service["environment"]
            assert set(environment) <= {*settings, "PGPASSWORD"}
            assert environment["ENVIRONMENT"] == "production"
            assert environment["HOST"] == "0.0.0.0"  # noqa: S104  inside the container
            grace = int(service["stop_grace_period"].removesuffix("s"))
            assert grace > int(settings["SHUTDOWN_TIMEOUT"]) + int(settings["DRAIN_SECONDS"])
    port = {"mode": "ingress", "host_ip": "127.0.0.1", "target": 8000, "published": "8000"}
    published = [port for service in services for port in service.get("ports", [])]
    assert published == [{**port, "protocol": "tcp"}]
    mounts = [mount for service in services for mount in service.get("volumes", [])]
    assert {mount["source"] for mount in mounts} == set(stack.get("volumes", {}))


@slow
def test_a_missing_password_is_named(docker: Docker, template: Path, tmp_path: Path) -> None:
    project = write(template, tmp_path, FULL)
    check("make", ".env", cwd=project)
    result = docker.run("compose", "up", cwd=project)
    assert result.returncode != 0
    assert "POSTGRES_PASSWORD" in result.stderr
    assert "make up writes one" in result.stderr


@dataclass
class Image:
    """An image that was built from a project, and a text that stands in what must stay outside."""

    docker: Docker
    name: str
    secret: str

    def python(self, *words: str) -> str:
        """Run the image's Python in a container of its own."""
        return self.docker.check("run", "--rm", self.name, "python", *words)


@pytest.fixture(scope="module")
def image(
    docker: Docker, template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Image]:
    """Build the image of a service that keeps data in a file, with secrets all around it."""
    name, secret = f"groundwork-{token_hex(4)}", token_hex(32)
    answers = {**ONE_FILE, "project_name": NASTY, "project_slug": name, "description": NASTY}
    project = write(template, tmp_path_factory.mktemp("image"), answers)
    (project / "notes.txt").write_text(secret, "utf-8")
    commit_all(project)
    for file in (".env", ".env.production", "app/.env", "app.db", "migrations/.env", ".venv/key"):
        (project / file).parent.mkdir(exist_ok=True)
        (project / file).write_text(secret, "utf-8")
    check("make", "image", cwd=project, **docker.environment)
    yield Image(docker, name, secret)
    docker.check("image", "rm", "--force", name)


@slow
def test_the_image_holds_the_service_and_no_more(image: Image, tmp_path: Path) -> None:
    [config] = json.loads(image.docker.check("image", "inspect", image.name))
    assert config["Config"]["User"] == "10001:10001"
    assert config["Config"]["Cmd"] == ["python", "-m", "app"]
    assert set(config["Config"]["Volumes"]) == {"/data"}
    labels = config["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == NASTY
    assert labels["org.opencontainers.image.description"] == NASTY
    assert labels["org.opencontainers.image.licenses"] == "MIT"

    names = set()
    for name, content in files_of_all_layers(image, tmp_path):
        assert image.secret.encode() not in content, name
        names.add(name)
    below = {Path(name).parts[1] for name in names if name.startswith("app/")}
    assert below == {".venv", "app", "migrations", "pyproject.toml"}
    assert not any(name.startswith("root/.cache/") for name in names)
    programs = {Path(name).name for name in names if Path(name).parent.name in {"bin", "sbin"}}
    assert "python" in programs
    assert not programs & {"cc", "g++", "gcc", "git", "make", "pytest", "ruff", "uv"}
    assert image.secret not in image.docker.check("history", "--no-trunc", image.name)


def files_of_all_layers(image: Image, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Read every file of the image, those that a later layer hides included."""
    archive = folder / "image.tar"
    image.docker.check("save", "--output", archive, image.name)
    with tarfile.open(archive) as saved:
        manifest = saved.extractfile("manifest.json")
        assert manifest
        for layer in json.load(manifest)[0]["Layers"]:
            with tarfile.open(fileobj=saved.extractfile(layer)) as files:
                for file in files:
                    content = files.extractfile(file) if file.isfile() else None
                    yield file.name.removeprefix("./"), content.read() if content else b""


@slow
def test_the_bytecode_is_compiled_and_fresh(image: Image) -> None:
    image.python("-c", LOOK_AT_BYTECODE)


@slow
def test_unsafe_settings_stop_the_start(image: Image) -> None:
    result = image.docker.run("run", "--rm", "--env", "CORS_ORIGINS=shop", image.name)
    assert result.returncode == 1
    assert "  CORS_ORIGINS: " in result.stderr
    assert "Traceback" not in result.stderr


def health_check(image: Image) -> list[str]:
    """Read with which command the engine finds out about the health of a container."""
    form = "{{ json .Config.Healthcheck.Test }}"
    words: list[str] = json.loads(
        image.docker.check("image", "inspect", "--format", form, image.name)
    )
    assert words[0] == "CMD"
    return words[1:]


@slow
def test_it_runs_without_rights_and_without_a_file_to_write(image: Image) -> None:
    restrictions = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL")  # noqa: S108  in there
    container = image.docker.check(
        *("run", "--detach", *restrictions, "--security-opt", "no-new-privileges"),
        *("--env", "ALLOWED_HOSTS=127.0.0.1", "--publish", "127.0.0.1::8000", image.name),
    )
    try:
        wait_until(lambda: state_of(image.docker, container)["Health"]["Status"] == "healthy")
        image.docker.check("exec", container, "alembic", "upgrade", "heads")
        address = image.docker.check("port", container, "8000")
        with httpx2.Client(base_url=f"http://{address}", timeout=10) as client:
            assert client.get("/readyz").json() == {"status": "ok", "checks": {"database": "ok"}}
            assert client.get("/docs").status_code == 200
            assert client.post("/api/v1/items", json={"name": "Lamp"}).status_code == 201
            assert client.get("/livez", headers={"Host": "10.0.0.7"}).status_code == 200
            assert client.get("/docs", headers={"Host": "evil.example"}).status_code == 400
        expect_no_rights(image.docker, container)
        elsewhere = ("exec", "--env", "PORT=9000", container, *health_check(image))
        assert "ConnectionRefusedError" in image.docker.run(*elsewhere).stderr

        image.docker.check("stop", container)
        assert state_of(image.docker, container)["ExitCode"] == 0
        for line in image.docker.check("logs", container).splitlines():
            assert json.loads(line)["level"] in {"debug", "info", "warning"}, line
    finally:
        image.docker.check("rm", "--force", "--volumes", container)


def expect_no_rights(docker: Docker, container: str) -> None:
    """Expect processes that are nobody's in particular, and files that they cannot change."""
    for line in docker.check("top", container, "-eo", "uid,gid,pid").splitlines()[1:]:
        assert line.split()[:2] == ["10001", "10001"], line
    status = docker.check("exec", container, "cat", "/proc/1/status")
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert re.search(rf"^{name}:\t0+$", status, re.MULTILINE), name
    assert re.search(r"^NoNewPrivs:\t1$", status, re.MULTILINE)
    writable = ("find", "/app", "/etc", "/usr", "-writable", "!", "-type", "l")
    assert not docker.run("run", "--rm", image_of(docker, container), *writable).stdout


def image_of(docker: Docker, container: str) -> str:
    """Name the image that a container was made from."""
    return docker.check("inspect", "--format", "{{ .Config.Image }}", container)


def state_of(docker: Docker, container: str) -> dict[str, Any]:
    """Read what the engine knows about a container."""
    state = docker.check("inspect", "--format", "{{ json .State }}", container)
    return dict(json.loads(state))


def wait_until(condition: Callable[[], bool], *, seconds: float = 30) -> None:
    """Ask again and again until it is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.2)


@dataclass
class Stack:
    """A project whose containers `make up` has started."""

    docker: Docker
    project: Path
    port: int

    def make(self, target: str) -> None:
        """Use the Makefile, as its owner does."""
        check("make", target, cwd=self.project, **self.docker.environment)

    def compose(self, *words: str) -> str:
        """Give a command to Compose, which must succeed."""
        return self.docker.check("compose", *words, cwd=self.project)

    def containers(self) -> dict[str, dict[str, Any]]:
        """Map each service to what Compose knows about its container."""
        lines = self.compose("ps", "--all", "--format", "json").splitlines()
        return {line["Service"]: line for line in map(json.loads, lines)}

    def client(self, headers: dict[str, str] | None = None) -> httpx2.Client:
        """Call the service, from outside of the containers."""
        return httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=30)

    def is_ready(self) -> bool:
        """Whether the service says that it and all that it depends on work."""
        with self.client() as client:
            try:
                return client.get("/readyz").status_code == 200
            except httpx2.TransportError:
                return False


@contextmanager
def stack(docker: Docker, template: Path, folder: Path, answers: Answers) -> Iterator[Stack]:
    """Write a project and start it with its Makefile; at the end, leave nothing behind."""
    name = f"groundwork-{token_hex(4)}"
    project = write(template, folder, {**answers, "project_slug": name})
    stack = Stack(docker, project, free_port())
    stack.make(".env")
    settings = (project / ".env").read_text("utf-8")
    (project / ".env").write_text(settings.replace("PORT=8000", f"PORT={stack.port}"), "utf-8")
    try:
        stack.make("up")
        yield stack
    except AssertionError as error:
        error.add_note(docker.run("compose", "logs", "--no-color", cwd=project).stdout)
        raise
    finally:
        docker.run("compose", "down", "--volumes", "--timeout", "10", cwd=project)
        docker.run("image", "rm", "--force", name)


@slow
def test_the_full_stack_does_its_work(docker: Docker, template: Path, tmp_path: Path) -> None:
    with stack(docker, template, tmp_path, FULL) as full:
        services = {"web"} | DATABASES["postgresql"] | SHARING["background_tasks"]
        expect_all_well(full, services)
        with full.client(log_in(full)) as client:
            location = client.post("/api/v1/items", json={"name": "Lamp"}).headers["Location"]

            # while the worker and the database are away for a moment, nothing is lost
            full.compose("stop", "worker")
            job = client.post("/api/v1/jobs", json={"task": "report"})
            assert job.status_code == 202, job.text
            before = full.containers()["web"]["ID"]
            full.compose("restart", "postgres", "redis")
            wait_until(full.is_ready)
            assert full.containers()["web"]["ID"] == before
            assert client.get(location).json()["name"] == "Lamp"
            assert client.get(job.headers["Location"]).json()["state"] == "queued"

            full.compose("start", "worker")
            done = partial(client.get, job.headers["Location"])
            wait_until(lambda: done().json()["state"] == "succeeded")
            assert done().json()["result"]["items"] == 1
        assert job.json()["id"] in full.compose("logs", "worker")

        full.compose("stop")
        ends = {name: container["ExitCode"] for name, container in full.containers().items()}
        assert ends == dict.fromkeys(services, 0)


@slow
def test_the_stack_of_one_file_keeps_it(docker: Docker, template: Path, tmp_path: Path) -> None:
    with stack(docker, template, tmp_path, ONE_FILE) as one_file:
        expect_all_well(one_file, {"web", "redis"} | DATABASES["sqlite"])
        with one_file.client() as client:
            location = client.post("/api/v1/items", json={"name": "Lamp"}).headers["Location"]
            one_file.make("down")
            assert not one_file.containers()
            one_file.make("up")
            assert client.get(location).json()["name"] == "Lamp"


@slow
def test_the_minimal_stack_is_one_container(docker: Docker, template: Path, tmp_path: Path) -> None:
    with stack(docker, template, tmp_path, MINIMAL) as minimal:
        expect_all_well(minimal, {"web"})
        with minimal.client() as client:
            assert client.get("/docs").status_code == 200


def expect_all_well(stack: Stack, services: set[str]) -> None:
    """Expect the containers of these services, each in the state that it should be in."""
    containers = stack.containers()
    assert set(containers) == services
    for name, container in containers.items():
        if name == "migrate":
            assert (container["State"], container["ExitCode"]) == ("exited", 0)
        else:
            assert (container["State"], container["Health"]) == ("running", "healthy")
    ports = [port for one in containers.values() for port in one["Publishers"] or []]
    published = {(port["URL"], port["PublishedPort"]) for port in ports if port["URL"]}
    assert published == {("127.0.0.1", stack.port)}
    assert stack.is_ready()


def log_in(stack: Stack) -> dict[str, str]:
    """Make the first administrator in the container, log in, and give the headers that show it."""
    email, password = "ann@example.com", "correct horse battery staple"
    command = f"echo '{password}' | python -m app.auth.create_admin {email}"
    stack.compose("exec", "--no-TTY", "web", "sh", "-c", command)
    form = {"grant_type": "password", "username": email, "password": password}
    with stack.client() as client:
        tokens = client.post("/api/v1/auth/token", data=form).json()
    return {"Authorization": f"Bearer {tokens['access_token']}"}


@slow
def test_a_committed_lock_decides_what_is_installed(
    docker: Docker, template: Path, tmp_path: Path
) -> None:
    name = f"groundwork-{token_hex(4)}"
    project = write(template, tmp_path, {**MINIMAL, "project_slug": name})
    older = ("--upgrade-package", "granian==2.8.6")
    command = ("uv", "lock", "--no-config", "--project", project, *older)
    check(*command, cwd=tmp_path, **use_environment(project))
    check("make", "image", cwd=project, **docker.environment)
    try:
        version = "from importlib.metadata import version; print(version('granian'))"
        assert docker.check("run", "--rm", name, "python", "-c", version) == "2.8.6"
    finally:
        docker.run("image", "rm", "--force", name)

    pyproject = (project / "pyproject.toml").read_text("utf-8")
    own = '    # your own below\n    "boltons>=25,<26",\n'
    pyproject = pyproject.replace("    # your own below\n", own, 1)
    (project / "pyproject.toml").write_text(pyproject, "utf-8")
    result = docker.run("build", project)
    assert result.returncode != 0
    assert "uv.lock" in result.stderr


@slow
def test_a_development_container_sets_itself_up(
    docker: Docker, template: Path, tmp_path: Path
) -> None:
    project = write(template, tmp_path, ONE_FILE)
    container = json.loads((project / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    assert STAND_INS["python"] == f"{container['image']}-slim"
    # what the image has beside the slim one's
    recipe = f"FROM {STAND_INS['python']}\nRUN apt-get update -qq && apt-get install -qq git make\n"
    context, name = tmp_path / "context", f"groundwork-{token_hex(4)}"
    context.mkdir()
    (context / "Dockerfile").write_text(recipe, "utf-8")
    docker.check("build", "--tag", name, context)
    commands = (
        "cp -r /project /workspace && cd /workspace"
        f" && {container['postCreateCommand']}"
        " && .venv/bin/python -m pytest -q tests/test_health.py tests/items"
    )
    try:
        volume = f"{project}:/project:ro"
        printed = docker.check("run", "--rm", "--volume", volume, name, "sh", "-ec", commands)
        assert " passed" in printed
    finally:
        docker.run("image", "rm", "--force", name)
