import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.auth.accounts import (
    PASSWORD,
    bearer,
    open_account,
    read_me,
    refresh,
    try_to_log_in,
)

PROJECT_ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "app.auth.create_admin"]
EMAIL = "root@example.com"
ADMIN_PASSWORD = "administer this service"


def create_admin(email: str, *, password: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a script does."""
    return subprocess.run(
        [*COMMAND, email],
        cwd=PROJECT_ROOT,
        input=password,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def type_passwords(*passwords: str) -> tuple[int, str]:
    """Run the command on a terminal; give its status and all that was to be seen."""
    terminal, its_end = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, EMAIL],
        cwd=PROJECT_ROOT,
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        start_new_session=True,
    ) as process:
        os.close(its_end)
        seen = b""
        for password in passwords:
            while not seen.rstrip().endswith(b":"):
                seen += os.read(terminal, 1024)
            os.write(terminal, f"{password}\n".encode())
            seen += b"|"
        try:
            while more := os.read(terminal, 1024):
                seen += more
        except OSError:  # what Linux says when the other end is closed
            pass
    os.close(terminal)
    return process.returncode, seen.decode()


def is_admin(client: TestClient) -> bool:
    response = try_to_log_in(client, EMAIL, ADMIN_PASSWORD, scope="admin")
    if response.status_code != 200:
        return False
    return client.get("/api/v1/users", headers=bearer(response.json())).status_code == 200


def test_a_script_makes_an_administrator(client: TestClient) -> None:
    result = create_admin(EMAIL.upper(), password=f"{ADMIN_PASSWORD}\n")
    assert result.returncode == 0, result.stderr
    assert ADMIN_PASSWORD not in result.stdout + result.stderr
    assert is_admin(client)


def test_a_person_types_the_password_twice_and_unseen(client: TestClient) -> None:
    status, seen = type_passwords(ADMIN_PASSWORD, ADMIN_PASSWORD)
    assert status == 0, seen
    assert ADMIN_PASSWORD not in seen
    assert is_admin(client)


def test_passwords_that_differ_change_nothing(client: TestClient) -> None:
    status, seen = type_passwords(ADMIN_PASSWORD, PASSWORD)
    assert status == 1
    assert "The passwords differ." in seen
    assert not is_admin(client)


def test_whoever_has_taken_the_address_before_is_out(client: TestClient) -> None:
    intruder = open_account(client, EMAIL)
    client.delete("/api/v1/users/me", headers=bearer(open_account(client, EMAIL)))
    assert create_admin(EMAIL, password=ADMIN_PASSWORD).returncode == 0
    assert read_me(client, intruder).status_code == 401
    assert refresh(client, intruder).status_code == 400
    assert try_to_log_in(client, EMAIL).status_code == 400
    assert is_admin(client)


@pytest.mark.parametrize(
    ("email", "password", "message"),
    [
        ("root", ADMIN_PASSWORD, "  EMAIL: must be an e-mail address"),
        (EMAIL, "short", "  PASSWORD: must have 12 to 128 characters"),
        (EMAIL, "", "  PASSWORD: must have 12 to 128 characters"),
    ],
)
def test_bad_answers_are_refused(email: str, password: str, message: str) -> None:
    result = create_admin(email, password=password)
    assert result.returncode == 1
    assert result.stderr == f"{message}\n"
    assert not password or password not in result.stdout + result.stderr


@pytest.mark.usefixtures("empty_database")
def test_a_database_without_tables_is_told() -> None:
    result = create_admin(EMAIL, password=ADMIN_PASSWORD)
    assert result.returncode == 1
    assert result.stderr.startswith("The database refuses; is it migrated?")
    assert "Traceback" not in result.stderr
