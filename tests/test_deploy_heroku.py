"""The files for Heroku are what it reads, and its processes start against what its add-ons give."""

import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx2
import jsonschema
import pytest
from honcho.environ import parse_procfile

from tests.platforms import (
    EVERYTHING,
    LONGEST_SLUG,
    NO_DATABASE,
    Projects,
    expect_refusal,
    has_module,
    install_everything,
    projects_on_demand,
)
from tests.projects import BIN, check, run
from tests.questions import REPOSITORY, Answers
from tests.services import (
    POSTGRESQL,
    Service,
    ask_postgresql,
    free_port,
    need,
    need_postgresql,
    wait_until_it_answers,
)

Environment = dict[str, str]

COMBINATIONS: dict[str, Answers] = {
    "everything": EVERYTHING,
    "default": {},
    "longest-name": {"project_slug": LONGEST_SLUG, "description": 'A "test"'},
    "no-redis": {"rate_limiting": False},
    "no-database": {**NO_DATABASE, "background_tasks": True},
    "nothing": {**NO_DATABASE, "rate_limiting": False, "cors": False, "telemetry": False},
}
WORKERS = {"worker", "scheduler"}
PROCESSES = {
    "everything": {"release", "web"} | WORKERS,
    "default": {"release", "web"},
    "longest-name": {"release", "web"},
    "no-redis": {"release", "web"},
    "no-database": {"web"} | WORKERS,
    "nothing": {"web"},
}
ADDONS = {
    "everything": ["heroku-postgresql", "heroku-redis"],
    "default": ["heroku-postgresql", "heroku-redis"],
    "longest-name": ["heroku-postgresql", "heroku-redis"],
    "no-redis": ["heroku-postgresql"],
    "no-database": ["heroku-redis"],
    "nothing": [],
}

TEXT = {"type": "string"}
ENVIRONMENT_SCHEMA = {
    "type": "object",
    "propertyNames": {"pattern": "^[A-Z][A-Z0-9_]*$"},
    "additionalProperties": {
        "type": "object",
        "properties": {
            "description": TEXT,
            "value": TEXT,
            "required": {"type": "boolean"},
            "generator": {"const": "secret"},
        },
        "additionalProperties": False,
    },
}
PARTS = {
    "env": ENVIRONMENT_SCHEMA,
    "addons": {"type": "array", "items": {"type": "string", "pattern": "^[a-z-]+(:[a-z0-9-]+)?$"}},
    "buildpacks": {
        "type": "array",
        "items": {"type": "object", "properties": {"url": TEXT}, "required": ["url"]},
    },
    "formation": {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "properties": {
                "quantity": {"type": "integer", "minimum": 0},
                "size": {"enum": ["eco", "basic", "standard-1x", "standard-2x"]},
            },
            "required": ["quantity"],
            "additionalProperties": False,
        },
    },
}
SCHEMA = {
    "type": "object",
    "properties": {
        **PARTS,
        "name": {"type": "string", "pattern": r"^[a-zA-Z-_\.]+", "maxLength": 30},
        "description": TEXT,
        "environments": {
            "type": "object",
            "propertyNames": {"enum": ["test", "review"]},
            "additionalProperties": {
                "type": "object",
                "properties": {
                    **PARTS,
                    "scripts": {"type": "object", "properties": {"test": TEXT}},
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}
"""What Heroku's app.json Schema (devcenter.heroku.com/articles/app-json-schema) says of the parts
that are used. The npm package `app.json` is older: it refuses `formation` in this, its newer, form."""


@pytest.fixture(scope="session")
def projects(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Projects:
    """Give the project of a combination, which is written when a test first asks for it."""
    return projects_on_demand("heroku", COMBINATIONS, template, tmp_path_factory)


@pytest.fixture(params=COMBINATIONS)
def combination(request: pytest.FixtureRequest) -> str:
    """Name each of the combinations in turn."""
    name: str = request.param
    return name


def manifest(project: Path) -> dict[str, Any]:
    """Read app.json."""
    content: dict[str, Any] = json.loads((project / "app.json").read_text("utf-8"))
    return content


def processes(project: Path) -> dict[str, str]:
    """Read the Procfile."""
    return dict(parse_procfile((project / "Procfile").read_text("utf-8")).processes)


def given(project: Path) -> Environment:
    """Give the settings that Heroku has once it has read app.json, save those of its add-ons."""
    return {
        name: token_hex(32) if variable.get("generator") else variable["value"]
        for name, variable in manifest(project)["env"].items()
        if variable.get("required", True)
    }


def test_the_manifest_follows_the_schema(projects: Projects, combination: str) -> None:
    jsonschema.validate(manifest(projects(combination)), SCHEMA)


def test_there_is_what_the_options_need_and_nothing_else(
    projects: Projects, combination: str
) -> None:
    project = projects(combination)
    check(BIN / "honcho", "check", cwd=project)
    assert set(processes(project)) == PROCESSES[combination]
    assert set(manifest(project)["formation"]) == PROCESSES[combination] - {"release"}
    addons = [addon.split(":")[0] for addon in manifest(project).get("addons", [])]
    assert addons == ADDONS[combination]
    names = set(manifest(project)["env"])
    assert ("REDIS_VERIFY_CERTIFICATE" in names) == ("heroku-redis" in addons)
    assert ("DATABASE_POOL_SIZE" in names) == ("heroku-postgresql" in addons)
    assert ("AUTH_SECRETS" in names) == ("heroku-postgresql" in addons)
    assert ("METRICS_TOKEN" in names) == (combination != "nothing")


def test_the_commands_are_modules_of_the_project(projects: Projects, combination: str) -> None:
    for command in processes(projects(combination)).values():
        for module in re.findall(r"python -m (\S+)", command):
            assert has_module(projects(combination), module), module


def test_a_stop_ends_before_heroku_loses_patience(projects: Projects, combination: str) -> None:
    web = processes(projects(combination))["web"]
    [timeout] = re.findall(r"SHUTDOWN_TIMEOUT=(\d+)", web)
    assert int(timeout) < 30
    assert "DRAIN_SECONDS" not in (projects(combination) / "app.json").read_text("utf-8")


def test_a_database_in_a_file_is_refused(template: Path, tmp_path: Path) -> None:
    answers = {"heroku": True, "database": "sqlite"}
    expect_refusal(template, tmp_path, answers, "heroku: It deletes files at each restart")


# --- The service, run as Heroku runs it -------------------------------------------------------

SETTINGS = """
import json
from app.settings import Settings, get_settings
print(json.dumps([name.upper() for name in Settings.model_fields]))
get_settings()
"""


@pytest.fixture(scope="session")
def python(projects: Projects) -> Path:
    """Install what the service with everything on needs, which is enough for all of them."""
    return install_everything(projects)


def add_ons(project: Path) -> Environment:
    """Give settings in the form of the add-ons."""
    addresses = {
        "heroku-postgresql": ("DATABASE_URL", "postgres://u:p@ec2.example.com:5432/d"),
        "heroku-redis": ("REDIS_URL", "rediss://:p@ec2.example.com:6380"),
    }
    return dict(addresses[addon.split(":")[0]] for addon in manifest(project).get("addons", []))


def documented_settings() -> Environment:
    """Read what the docs tell to set by hand, where app.json is not read."""
    text = (REPOSITORY / "docs" / "heroku.md").read_text("utf-8")
    pairs: list[tuple[str, str]] = re.findall(r"(?m)^    ([A-Z_]+)=('[^']*'|\"[^\"]*\"|\S+)", text)
    return {name: value.strip("'\"") for name, value in pairs}


@pytest.mark.slow
def test_each_name_is_a_setting_and_none_is_missing(
    projects: Projects, combination: str, python: Path
) -> None:
    project = projects(combination)
    environment = {**given(project), **add_ons(project), "PORT": "5000"}
    words = [f"{name}={value}" for name, value in environment.items()]
    result = run("env", "-i", *words, python, "-c", SETTINGS, cwd=project)
    assert result.returncode == 0, result.stderr
    names = set(json.loads(result.stdout))
    assert set(environment) <= names
    assert set(manifest(project)["env"]) <= names


@pytest.mark.slow
def test_the_settings_of_the_docs_are_those_of_the_manifest(projects: Projects) -> None:
    documented = documented_settings()
    assert set(documented) == set(given(projects("everything")))
    for name, value in given(projects("everything")).items():
        assert documented[name] == value or name == "AUTH_SECRETS"


@contextmanager
def redis_with_its_own_certificate(folder: Path) -> Iterator[str]:
    """Run a Redis that speaks TLS under a certificate which nobody trusts, as Heroku's do."""
    need(shutil.which("redis-server"), "needs a Redis with TLS: apt-get install redis-server")
    need(shutil.which("openssl"), "needs openssl: apt-get install openssl")
    port = free_port()
    check(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-keyout", "key.pem", "-out", "certificate.pem", "-days", "1"),
        *("-subj", "/CN=redis.example.com"),
        cwd=folder,
    )
    process = subprocess.Popen(
        [
            *("redis-server", "--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1"),
            *("--tls-cert-file", "certificate.pem", "--tls-key-file", "key.pem"),
            *("--tls-ca-cert-file", "certificate.pem", "--tls-auth-clients", "no", "--save", ""),
            *("--requirepass", "sesame"),
        ],
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield f"rediss://:sesame@127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@contextmanager
def empty_database(folder: Path) -> Iterator[str]:
    """Give the address of a database without tables, in the form of Heroku's; drop it at the end."""
    need_postgresql()
    name = f"groundwork_{token_hex(16)}"
    ask_postgresql(folder, f"CREATE DATABASE {name}")
    try:
        address, _, _ = POSTGRESQL.rpartition("/")
        yield f"{address}/{name}".replace("postgresql://", "postgres://")
    finally:
        ask_postgresql(folder, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def honcho(project: Path, python: Path, environment: Environment) -> Iterator[Service]:
    """Run the release, then all other processes as Heroku does; give what answers."""
    port = free_port()
    variables = {**environment, "PATH": f"{python.parent}:/usr/bin:/bin", "PYTHONUNBUFFERED": "1"}
    names = sorted(processes(project), key=lambda name: name != "web")
    if "release" in names:
        names.remove("release")
        check("env", "-i", *pairs(variables), BIN / "honcho", "start", "release", cwd=project)
    log = project / "honcho.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [BIN / "honcho", "start", "--no-colour", "--port", str(port), *names],
            cwd=project,
            env=variables,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        # Heroku's router calls a dyno by an address of its own, not by that of the loopback.
        yield Service(process, f"http://127.0.0.2:{port}", log)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def pairs(environment: Environment) -> list[str]:
    """Write variables as `env` takes them."""
    return [f"{name}={value}" for name, value in environment.items()]


def ready(service: Service) -> httpx2.Response:
    """Ask whether the service is ready, once it answers."""
    wait_until_it_answers(service)
    return httpx2.get(f"{service.url}/readyz", timeout=5)


@pytest.mark.slow
@pytest.mark.parametrize("combination", ["everything", "default"], indirect=True)
def test_all_processes_start_on_what_heroku_gives(
    projects: Projects, python: Path, combination: str, tmp_path: Path
) -> None:
    project = projects(combination)
    with empty_database(project) as database, redis_with_its_own_certificate(tmp_path) as redis:
        environment = {**given(project), "DATABASE_URL": database, "REDIS_URL": redis}
        with honcho(project, python, environment) as service:
            response = ready(service)
            assert response.json()["checks"] == {"database": "ok", "redis": "ok"}
            host = {"Host": "my-app-1a2b3c4d5e6f.herokuapp.com"}
            account = {"email": "me@example.com", "password": "correct horse battery staple"}
            path = f"{service.url}/api/v1/auth/register"
            assert httpx2.post(path, headers=host, json=account).status_code == 202
            assert httpx2.post(path, json=account).status_code == 400
            time.sleep(1)
        text = service.log.read_text("utf-8")
        started = set(re.findall(r"(\w+)\.1 started", text))
        assert started == PROCESSES[combination] - {"release"}
        ends = dict(re.findall(r"(\w+)\.1 stopped \(rc=(-?\d+)\)", text))
        assert ends == dict.fromkeys(started, "0"), text


@pytest.mark.slow
def test_a_certificate_is_verified_unless_that_is_said(
    projects: Projects, python: Path, tmp_path: Path
) -> None:
    project = projects("default")
    with empty_database(project) as database, redis_with_its_own_certificate(tmp_path) as redis:
        environment = {**given(project), "DATABASE_URL": database, "REDIS_URL": redis}
        del environment["REDIS_VERIFY_CERTIFICATE"]
        with honcho(project, python, environment) as service:
            assert ready(service).json()["checks"] == {"database": "ok", "redis": "failed"}


@pytest.mark.slow
def test_the_test_environment_runs_the_tests(projects: Projects, python: Path) -> None:
    project = projects("no-redis")
    environment = manifest(project)["environments"]["test"]
    variables = {name: variable["value"] for name, variable in environment["env"].items()}
    assert environment["scripts"]["test"] == "pytest"
    words = pairs({**variables, "PATH": "/usr/bin:/bin"})
    command = (python, "-m", "pytest", "-q", "tests/test_health.py")
    check("env", "-i", *words, *command, cwd=project)
