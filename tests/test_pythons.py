"""A full service passes its own checks, and runs, on the Pythons that only a newer Debian has."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.debian import Debian, debian
from tests.projects import generate
from tests.questions import CHOICES, preset
from tests.services import PRODUCTION, Service, free_port, need, wait_until_it_answers

pytestmark = [pytest.mark.proof, pytest.mark.slow]
VERSIONS = [version for version in CHOICES["python_version"] if int(version[2:]) >= 14]


@pytest.fixture(scope="module")
def system() -> Iterator[Debian]:
    """Give a Debian that has the newest Pythons."""
    with debian() as system:
        yield system


@pytest.mark.parametrize("version", VERSIONS)
def test_a_full_service_passes_its_own_checks_and_runs(
    template: Path, system: Debian, version: str
) -> None:
    need(system.has_package(f"python{version}"), f"Debian testing has no Python {version}")
    system.install(f"python{version}-venv")
    # the only one that the project's Makefile and uv find
    system.check("ln", "-sf", f"/usr/bin/python{version}", "/usr/local/bin/python3")
    slug = f"service-{version.replace('.', '-')}"
    answers = {**preset("full"), "python_version": version, "project_slug": slug}
    project = f"/srv/{generate('copier', template, system.root / 'srv', answers).name}"

    make = ("make", "--directory", project)
    assert " passed" in system.check(*make, "test", "ARGS=-q")
    found = system.check(f"{project}/.venv/bin/python", "--version")
    assert found.startswith(f"Python {version}.")
    system.check(*make, "lint")

    settings = {**PRODUCTION, "DATABASE_URL": f"sqlite:///{project}/app.db"}
    migrate = "cd $0 && .venv/bin/alembic upgrade heads && exec .venv/bin/python -m app"
    port = free_port()
    command = system.command("sh", "-ec", migrate, project, **settings, PORT=str(port))
    log = system.root / f"{slug}.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        service = Service(process, f"http://127.0.0.1:{port}", log)
        try:
            wait_until_it_answers(service)
            assert httpx2.get(f"{service.url}/readyz").status_code == 200
            assert service.stop(signal.SIGTERM) == 0
        finally:
            process.kill()
