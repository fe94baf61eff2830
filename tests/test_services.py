"""Each generated service passes its own checks, runs as in production, and answers as promised."""

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.edited import edit, expect_clean, make_edits
from tests.openapi import expect_true_document
from tests.projects import BIN, change_answers, check, commit_all, generate, let_others_pass, run
from tests.questions import REPOSITORY, Answers, covering_array, label, preset
from tests.services import (
    POSTGRESQL,
    PRODUCTION,
    REDIS,
    Service,
    add_own_router,
    available_pythons,
    booted,
    database_for,
    free_port,
    install,
    need_postgresql,
    need_redis,
    redis_for,
    tool,
    use_environment,
)

pytestmark = pytest.mark.slow
PROBLEM = "application/problem+json"
PLATFORMS = {name: [False] for name in ("docker", "kubernetes", "heroku", "aws")}
PAIRS = covering_array(
    2, license=["MIT"], ci=["none"], python_version=available_pythons(), **PLATFORMS
)
"""Licence, code host and platforms change no code, which other tests show."""

NO_SERVERS = {"TEST_DATABASE_URL": "", "TEST_REDIS_URL": ""}

WAIT_FOR_A_SIGNAL = """import sys
import time

import pytest
from tests.database.server import SERVER, asyncio, ask_server
from tests.redis import SERVER as REDIS


def test_wait(capfd: pytest.CaptureFixture[str]) -> None:
    asyncio.run(ask_server("SELECT 1"))
    with capfd.disabled():
        print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("answers", "was_edited"),
    [(answers, number % 2 == 0) for number, answers in enumerate(PAIRS)],
    ids=map(label, PAIRS),
)
def test_a_service_passes_its_own_checks_and_keeps_its_promises(
    template: Path, tmp_path: Path, answers: Answers, *, was_edited: bool
) -> None:
    server = server_tests(answers)
    if was_edited:
        project = switched(template, tmp_path, answers)
    else:
        project = generate("copier", template, tmp_path, answers)
    install(project)

    tool(project, "ruff", "check")
    tool(project, "ruff", "format", "--check")
    tool(project, "mypy")
    tool(project, "deptry", ".")
    if was_edited:
        # to count what is covered takes as long again, and the owner's code counts, too
        assert " passed" in tool(project, "pytest", "-q", **server)
    else:
        # `make test` runs without servers, too, in test_commands.py
        covered = tool(project, "pytest", "-q", "--cov", **server)
        assert "Required test coverage of 90.0% reached" in covered
        add_own_router(project)
        tool(project, "ruff", "check")
    with (
        database_for(project, answers) as database,
        redis_for(answers) as redis,
        booted(project, **(settings := database | redis)) as service,
    ):
        call(service, cors=answers["cors"])
        headers = log_in(project, service, settings) if answers["jwt_auth"] else {}
        if answers["database"] != "none":
            keep_items(service, headers)
        with httpx2.Client(base_url=service.url, headers=headers) as client:
            expect_true_document(client)
        fuzz(service, tmp_path, headers, jobs=answers["background_tasks"])
        assert service.stop() == 0
        if answers["rate_limiting"]:
            call_too_often(project, settings)
    lines = [json.loads(line) for line in service.log.read_text("utf-8").splitlines()]
    (mistake,) = [line for line in lines if line["level"] not in {"debug", "info", "warning"}]
    assert "a mistake of the owner's" in mistake["exception"]


def switched(template: Path, folder: Path, answers: Answers) -> Path:
    """Write a project with the opposite answers, edit it, and switch it to the answers."""
    other = {"postgresql": "sqlite", "sqlite": "postgresql", "none": "none"}
    before = answers | {"database": other[str(answers["database"])]}
    for name in ("background_tasks", "cors", "rate_limiting", "telemetry", "websockets"):
        before[name] = not answers[name]
    for name in ("jwt_auth", "caching"):
        before[name] = not answers[name] and answers["database"] != "none"
    project = generate("copier", template, folder, before)
    commit_all(project, "Start")
    edits = make_edits(project, docker=False)
    change_answers(project, **answers)
    expect_clean(project, edits)
    return project


def server_tests(answers: Answers) -> dict[str, str]:
    """Let a service for PostgreSQL be tested on the servers of production, and others on none."""
    if answers["database"] != "postgresql":
        return NO_SERVERS
    need_postgresql()
    need_redis()
    return {"TEST_DATABASE_URL": POSTGRESQL, "TEST_REDIS_URL": REDIS}


def call(service: Service, *, cors: bool) -> None:
    """Call a service as its clients and its platform do."""
    with httpx2.Client(base_url=service.url) as client:
        assert client.get("/livez").json() == {"status": "ok"}
        assert client.get("/readyz").status_code == 200
        assert client.get("/openapi.json").json()["paths"]["/api/v1/notes"]
        for page in ("/docs", "/redoc"):
            response = client.get(page)
            assert response.status_code == 200
            assert "://" not in response.text, "the page would load something from outside"
        assert client.post("/api/v1/notes", json={"text": "Hello"}).status_code == 201

        missing = client.get("/nowhere", headers={"X-Request-ID": "from-the-caller"})
        expect_problem(missing, 404)
        assert missing.headers["X-Request-ID"] == missing.json()["request_id"] == "from-the-caller"
        expect_problem(client.put("/livez"), 405)
        expect_problem(client.get("/docs", headers={"Host": "evil.example.com"}), 400)
        invalid = client.post("/api/v1/notes", json={"text": 1})
        expect_problem(invalid, 422)
        assert invalid.json()["errors"][0]["pointer"] == "#/body/text"
        expect_problem(client.post("/api/v1/notes", content=b"x" * 2_000_000), 413)
        chunks = (b"x" * 100_000 for _ in range(20))
        expect_problem(client.post("/api/v1/notes", content=chunks), 413)

        for path in ("/livez", "/readyz", "/docs", "/openapi.json", "/docs/assets/favicon.png"):
            get, head = client.get(path), client.head(path)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["Content-Length"] == get.headers["Content-Length"]
            assert head.headers["Content-Type"] == get.headers["Content-Type"]
        with connect(f"{service.url.replace('http', 'ws')}/api/v1/notes/talk") as talk:
            with pytest.raises(ConnectionClosed):
                talk.recv(timeout=10)
            assert talk.close_code == 1011
        refused = client.head("/api/v1/notes")
        assert (refused.status_code, refused.headers["Allow"]) == (405, "POST")

        preflight = client.options(
            "/api/v1/notes",
            headers={
                "Origin": "https://app.example.com",
                "Access-Control-Request-Method": "POST",
            },
        )
        if cors:
            assert preflight.status_code == 200
            allowed = preflight.headers["Access-Control-Allow-Origin"]
            assert allowed == "https://app.example.com"
        else:
            expect_problem(preflight, 405)
            assert "Access-Control-Allow-Origin" not in preflight.headers


def log_in(project: Path, service: Service, settings: dict[str, str]) -> dict[str, str]:
    """Make the first administrator, log in, and give the headers that show it."""
    email, password = "ann@example.com", "correct horse battery staple"
    subprocess.run(
        [project / ".venv" / "bin" / "python", "-m", "app.auth.create_admin", email],
        cwd=project,
        env={**os.environ, **PRODUCTION, **settings},
        input=f"{password}\n",
        text=True,
        check=True,
        capture_output=True,
    )
    with httpx2.Client(base_url=f"{service.url}/api/v1") as client:
        expect_problem(client.get("/users/me"), 401)
        form = {"grant_type": "password", "username": email, "scope": "admin"}
        expect_problem(client.post("/auth/token", data=form | {"password": "wrong"}), 400)
        tokens = client.post("/auth/token", data=form | {"password": password}).json()
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert client.get("/users/me", headers=headers).json()["email"] == email
        assert client.get("/users", headers=headers).json()["total"] == 1
    return headers


def keep_items(service: Service, headers: dict[str, str]) -> None:
    """Create, read, list, change and delete an item."""
    with httpx2.Client(base_url=service.url, headers=headers) as client:
        created = client.post("/api/v1/items", json={"name": "Lamp"})
        assert created.status_code == 201
        location = created.headers["Location"]
        assert client.get(location).json() == created.json()
        expect_problem(client.post("/api/v1/items", json={"name": "Lamp"}), 409)
        assert client.get("/api/v1/items").json()["total"] == 1
        assert client.patch(location, json={"quantity": 2}).json()["quantity"] == 2
        assert client.delete(location).status_code == 204
        expect_problem(client.get(location), 404)


def call_too_often(project: Path, settings: dict[str, str]) -> None:
    """Use up the requests that a caller has, and go on."""
    with (
        booted(project, **settings, RATE_LIMIT="2/hour") as service,
        httpx2.Client(base_url=service.url) as client,
    ):
        for left in (1, 0):
            response = client.post("/api/v1/notes", json={"text": "Hello"})
            assert response.status_code == 201
            assert response.headers["RateLimit-Policy"] == '"default";q=2;w=3600'
            assert response.headers["RateLimit"].startswith(f'"default";r={left};t=')
        refused = client.post("/api/v1/notes", json={"text": "Hello"})
        expect_problem(refused, 429)
        assert 0 < int(refused.headers["Retry-After"]) <= 3600
        assert client.get("/readyz").status_code == 200


def expect_problem(response: httpx2.Response, status: int) -> None:
    """Expect a problem (RFC 9457) with the security headers that every response has."""
    assert response.status_code == status
    assert response.headers["Content-Type"] == PROBLEM
    assert response.json()["status"] == status
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "max-age" in response.headers["Strict-Transport-Security"]


def fuzz(service: Service, folder: Path, headers: dict[str, str], *, jobs: bool) -> None:
    """Let schemathesis look for server errors and for answers that are not documented."""
    options = [f"--header={name}: {value}" for name, value in headers.items()]
    check(
        *(BIN / "schemathesis", "run", f"{service.url}/openapi.json"),
        *options,
        *("--checks", "all", "--max-examples", "25", "--no-color", "--seed", "1"),
        # they would close the account that the others need
        *("--exclude-operation-id", "deactivate_me_api_v1_users_me_delete"),
        *("--exclude-operation-id", "update_user_api_v1_users__user_id__patch"),
        # well-formed tokens and addresses may well be refused (RFC 6749, section 5.2), and so may
        # an idempotency key that has been used for another request
        *(("--exclude-checks", "positive_data_acceptance") if headers or jobs else ()),
        cwd=folder,
    )


@pytest.fixture(scope="module")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an installed project with the default answers."""
    project = generate("copier", template, tmp_path_factory.mktemp("default"), {})
    install(project)
    return project


def test_unsafe_settings_stop_the_start_with_one_list_of_faults(project: Path) -> None:
    result = run(
        *(project / ".venv" / "bin" / "python", "-m", "app"),
        cwd=project,
        ENVIRONMENT="production",
        ALLOWED_HOSTS="*",
        AUTH_SECRETS="too-short-to-be-safe",
        CORS_ORIGINS="app.example.com",
        PORT="many",
    )
    assert result.returncode == 1
    assert not result.stdout
    assert "Traceback" not in result.stderr
    for name in ("ALLOWED_HOSTS", "AUTH_SECRETS", "CORS_ORIGINS", "DATABASE_URL", "PORT"):
        assert f"  {name}: " in result.stderr
    assert "many" not in result.stderr
    assert "too-short" not in result.stderr


def test_a_stop_finishes_the_requests_in_flight(project: Path, tmp_path: Path) -> None:
    router = '''"""A slow route."""

import asyncio

from fastapi import APIRouter

router = APIRouter()


@router.get("/slow")
async def slow() -> str:
    """Take a second."""
    await asyncio.sleep(1)
    return "done"
'''
    slow = tmp_path / "slow"
    check("cp", "-r", str(project), str(slow), cwd=tmp_path)
    add_own_router(slow)
    (slow / "app" / "notes.py").write_text(router)
    with booted(slow) as service:
        answers: list[str] = []
        client = threading.Thread(
            target=lambda: answers.append(httpx2.get(f"{service.url}/slow", timeout=10).json())
        )
        client.start()
        time.sleep(0.3)
        assert service.stop(signal.SIGTERM) == 0
        client.join()
    assert answers == ["done"]


def test_a_drain_turns_readiness_off_before_the_stop(project: Path) -> None:
    with booted(project, DRAIN_SECONDS="2") as service:
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        expect_problem(httpx2.get(f"{service.url}/readyz"), 503)
        assert httpx2.get(f"{service.url}/livez").status_code == 200
        assert service.process.wait(timeout=15) == 0


def test_several_workers_share_one_port_and_stop_together(project: Path) -> None:
    with booted(project, WORKERS="2") as service:
        for _ in range(20):
            assert httpx2.get(f"{service.url}/livez").status_code == 200
        assert service.stop(signal.SIGINT) == 0


def test_servers_come_from_wheels_where_none_runs(project: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin"
    check("cp", "-r", str(project), str(twin), cwd=tmp_path)
    hide_servers(twin)
    files = "tests/database/test_postgresql.py tests/limits/test_limits.py"
    with without(*NO_SERVERS):
        output = check(
            "make", "--silent", "test", f"ARGS={files}", cwd=twin, **use_environment(twin)
        )
    assert re.search(r"\n=+ \d+ passed in [^\n]*\n$", output), output
    assert not processes_of(twin)


def hide_servers(project: Path) -> None:
    """Let nothing answer at the ports that are usual for PostgreSQL and Redis."""
    for name, port in (("postgresql", "5432"), ("redis", "6379")):
        edit(project / "tests" / f"{name}_server.py", port, str(free_port()))


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Run the block without these variables in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.delenv(name, raising=False)
        yield


def processes_of(project: Path) -> list[str]:
    """List the servers that run from the project's environment, or wrote into its folder."""
    lines = (process.info["cmdline"] for process in psutil.process_iter(["cmdline"]))
    return [" ".join(line) for line in lines if line and str(project) in " ".join(line)]


@pytest.mark.parametrize("number", [signal.SIGINT, None], ids=["Ctrl-C", "the end"])
def test_servers_from_wheels_end_with_the_tests(
    project: Path, tmp_path: Path, number: signal.Signals | None
) -> None:
    twin = tmp_path / "twin"
    check("cp", "-r", str(project), str(twin), cwd=tmp_path)
    hide_servers(twin)
    (twin / "tests" / "test_own.py").write_text(WAIT_FOR_A_SIGNAL if number else "", "utf-8")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    let_others_pass(temporary)
    environment = {**os.environ, "TMPDIR": str(temporary)}
    for name in NO_SERVERS:
        environment.pop(name, None)
    with subprocess.Popen(
        [twin / ".venv" / "bin" / "python", "-m", "pytest", "--no-cov", "-q", "tests/test_own.py"],
        cwd=twin,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout
        if number:
            for line in process.stdout:
                if "ready" in line:
                    break
            # as a terminal does it, to all that the tests have started and not detached
            os.killpg(process.pid, number)
        output = process.stdout.read()
    assert "Traceback" not in output
    assert "INTERNALERROR" not in output
    left = [each.name for each in temporary.iterdir() if not each.name.startswith("pytest-of-")]
    assert not left


def test_pre_commit_runs_clean(project: Path) -> None:
    commit_all(project)
    tool(project, "pre-commit", "run", "--all-files", **use_environment(project))
    assert not check("git", "status", "--porcelain", cwd=project)


def test_the_living_template_passes_its_tests_in_place(template: Path, tmp_path: Path) -> None:
    project = generate("copier", template, tmp_path, preset("full"))
    install(project)
    living = REPOSITORY / "template"
    tool(project, "ruff", "check", "--no-cache", "--extend-ignore", "I001", str(living))
    check(
        *(project / ".venv" / "bin" / "python", "-m", "pytest", "-q"),
        *("-p", "no:cacheprovider"),
        cwd=living,
        PYTHONPYCACHEPREFIX=str(tmp_path / "bytecode"),
        **NO_SERVERS,
    )
