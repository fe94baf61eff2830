from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from app.settings import Settings

SECRET = "Zt7qLw2XcV9bN4mK8jHgF3dSaP6oIuY5"


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTH_SECRETS", raising=False)


def refusal(**settings: Any) -> str:
    """Give the message with which the secrets are refused."""
    with pytest.raises(ValidationError) as refused:
        Settings(**settings)
    [message] = [
        fault["msg"] for fault in refused.value.errors() if fault["loc"] == ("auth_secrets",)
    ]
    return message


@pytest.mark.parametrize("environment", ["staging", "production", "nonsense"])
@pytest.mark.parametrize("secrets", ["", " , "])
def test_missing_secrets_are_refused_once_deployed(environment: str, secrets: str) -> None:
    message = refusal(environment=environment, auth_secrets=secrets)
    assert "is missing: give a random secret of at least 32 bytes" in message


def test_a_single_local_process_makes_a_secret_up(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Settings(environment="local"), Settings(environment="local")
    assert len(first.auth_secrets[0].get_secret_value()) >= 32
    assert first.auth_secrets != second.auth_secrets


def test_several_local_processes_need_a_secret_that_they_share() -> None:
    assert "which all processes share" in refusal(environment="local", workers=2)


@pytest.mark.parametrize("environment", ["local", "production"])
@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        (SECRET[:31], "at least 32 bytes"),
        (f"{SECRET},short", "at least 32 bytes"),
        ("change-me-" + SECRET, "looks like a placeholder"),
        ("your-secret-key-your-secret-key-your", "looks like a placeholder"),
    ],
)
def test_weak_secrets_are_refused_everywhere(environment: str, secret: str, reason: str) -> None:
    message = refusal(environment=environment, auth_secrets=secret)
    assert reason in message
    assert secret not in message


def test_secrets_are_listed_and_not_shown() -> None:
    settings = Settings(environment="test", auth_secrets=f"{SECRET}, {SECRET[::-1]}")
    assert [secret.get_secret_value() for secret in settings.auth_secrets] == [
        SECRET,
        SECRET[::-1],
    ]
    assert SECRET not in repr(settings)


def test_lifetimes_are_short_by_default_and_read_from_iso_8601() -> None:
    settings = Settings(environment="test", refresh_token_lifetime="P7D")
    assert settings.access_token_lifetime == timedelta(minutes=15)
    assert settings.refresh_token_lifetime == timedelta(days=7)


@pytest.mark.parametrize("lifetime", ["PT0S", "-PT1M", "PT2H"])
def test_access_tokens_cannot_be_made_to_last(lifetime: str) -> None:
    with pytest.raises(ValidationError, match="access_token_lifetime"):
        Settings(environment="test", access_token_lifetime=lifetime)
