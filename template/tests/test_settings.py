import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.environment import Environment
from app.settings import Settings, get_settings

PROJECT_ROOT = Path(__file__).parent.parent


@pytest.fixture
def read_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Settings]]:
    """Read the settings from an environment that the test describes."""

    def read(**environment: str) -> Settings:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        get_settings.cache_clear()
        return get_settings()

    yield read
    get_settings.cache_clear()


def run_with_dotenv(folder: Path, dotenv: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder that has the given .env file."""
    (folder / ".env").write_text(dotenv)
    environment = {name: value for name, value in os.environ.items() if name != "ENVIRONMENT"}
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_a_service_starts_without_any_setting(read_settings: Callable[..., Settings]) -> None:
    settings = read_settings(ENVIRONMENT="")
    assert settings.environment is Environment.LOCAL
    assert settings.allowed_hosts == ["localhost", "127.0.0.1", "[::1]", "testserver"]


def test_lists_are_separated_by_commas(read_settings: Callable[..., Settings]) -> None:
    settings = read_settings(
        ENVIRONMENT="production", ALLOWED_HOSTS="api.example.com, *.example.org,"
    )
    assert settings.allowed_hosts == ["api.example.com", "*.example.org"]


def test_every_fault_is_listed_at_once_and_no_value(
    read_settings: Callable[..., Settings],
) -> None:
    with pytest.raises(SystemExit) as stop:
        read_settings(ENVIRONMENT="production", PORT="port-value", LOG_LEVEL="level-value")
    message = str(stop.value)
    assert "ALLOWED_HOSTS: is missing" in message
    assert "PORT:" in message
    assert "LOG_LEVEL:" in message
    assert "-value" not in message


def test_an_unreadable_environment_is_taken_to_face_the_world(
    read_settings: Callable[..., Settings],
) -> None:
    with pytest.raises(SystemExit, match=r"(?s)ENVIRONMENT: .*ALLOWED_HOSTS: is missing"):
        read_settings(ENVIRONMENT="prod")


def test_a_list_that_is_no_json_is_a_fault_like_any_other(
    read_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    class SettingsWithJson(Settings):
        colours: list[str]

    monkeypatch.setattr("app.settings.Settings", SettingsWithJson)
    with pytest.raises(SystemExit, match="colours") as stop:
        read_settings(COLOURS="red-value")
    assert "red-value" not in str(stop.value)


@pytest.mark.parametrize(
    "hosts", ["*", "https://api.example.com", "api.example.com:8000", "api*.example.com", "a/b"]
)
@pytest.mark.parametrize("environment", ["staging", "production"])
def test_unsafe_hosts_are_refused_once_deployed(
    read_settings: Callable[..., Settings], environment: str, hosts: str
) -> None:
    with pytest.raises(SystemExit, match="ALLOWED_HOSTS: must"):
        read_settings(ENVIRONMENT=environment, ALLOWED_HOSTS=hosts)


@pytest.mark.parametrize("command", [["-m", "app"], ["-c", "import app.main"]])
def test_a_refused_start_exits_with_one_message(tmp_path: Path, command: list[str]) -> None:
    result = run_with_dotenv(tmp_path, "ENVIRONMENT=staging\nWORKERS=none\n", *command)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "The service cannot start. Please fix these settings:",
        "  WORKERS: Input should be a valid integer, unable to parse string as an integer",
        "  ALLOWED_HOSTS: is missing: list the host names of the service, separated by commas",
    ]
