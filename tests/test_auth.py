"""Logging in works for OAuth2 clients that nobody here wrote, on a service as in production."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from oauthlib.oauth2 import InvalidGrantError, LegacyApplicationClient
from requests_oauthlib import OAuth2Session as RequestsSession

from tests.projects import check
from tests.rendering import write
from tests.services import Service, booted, install, migrate

EMAIL, PASSWORD = "ann@example.com", "correct horse battery staple"


@contextmanager
def running_service(project: Path, **settings: str) -> Iterator[Service]:
    """Run a service with an SQLite database and one account."""
    database = {"DATABASE_URL": f"sqlite:///{project}/app.db"}
    migrate(project, database)
    with booted(project, **database, **settings) as service:
        account = {"email": EMAIL, "password": PASSWORD}
        registered = httpx2.post(f"{service.url}/api/v1/auth/register", json=account)
        assert registered.status_code == 202
        yield service


@pytest.fixture(scope="module")
def service(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    project = write(template, tmp_path_factory.mktemp("auth"), {"database": "postgresql"})
    install(project)
    # two processes: what one signs, the other accepts
    with running_service(project, WORKERS="2") as service:
        yield service


@pytest.mark.slow
def test_authlib_logs_in_refreshes_and_logs_out(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    api = f"{service.url}/api/v1"
    updates: list[str] = []
    client = AuthlibSession(
        client_id="anyone",
        token_endpoint=f"{api}/auth/token",
        token_endpoint_auth_method="none",  # noqa: S106
        update_token=lambda token, **_: updates.append(token["access_token"]),
    )
    with pytest.raises(OAuthError, match="invalid_grant"):
        client.fetch_token(username=EMAIL, password="wrong " * 3)
    first = dict(client.fetch_token(username=EMAIL, password=PASSWORD))
    for _ in range(8):
        assert client.get(f"{api}/users/me").json()["email"] == EMAIL

    # the client itself notices that its token is about to expire
    client.token["expires_at"] = 0
    assert client.get(f"{api}/users/me").json()["email"] == EMAIL
    assert updates == [client.token["access_token"]]
    assert client.token["refresh_token"] != first["refresh_token"]

    revoked = client.revoke_token(f"{api}/auth/logout", client.token["refresh_token"])
    assert revoked.status_code == 200
    assert client.get(f"{api}/users/me").status_code == 401
    with pytest.raises(OAuthError, match="invalid_grant"):
        client.refresh_token()


@pytest.mark.slow
def test_requests_oauthlib_logs_in_and_refreshes(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    api = f"{service.url}/api/v1"
    client = RequestsSession(client=LegacyApplicationClient(client_id="anyone"))
    with pytest.raises(InvalidGrantError):
        client.fetch_token(f"{api}/auth/token", username=EMAIL, password="wrong " * 3)
    first = dict(client.fetch_token(f"{api}/auth/token", username=EMAIL, password=PASSWORD))
    assert client.get(f"{api}/users/me").json()["email"] == EMAIL

    second = dict(client.refresh_token(f"{api}/auth/refresh"))
    assert client.get(f"{api}/users/me").json()["email"] == EMAIL
    assert second["access_token"] != first["access_token"]
    with pytest.raises(InvalidGrantError):
        client.refresh_token(f"{api}/auth/refresh", refresh_token=first["refresh_token"])
    assert client.get(f"{api}/users/me").status_code == 401


def test_the_first_run_writes_a_secret_that_nobody_else_has(template: Path, tmp_path: Path) -> None:
    secrets = set()
    for name in ("first", "second"):
        project = write(template, tmp_path / name, {"jwt_auth": True})
        check("make", ".env", cwd=project)
        assert stat.S_IMODE((project / ".env").stat().st_mode) == 0o600
        lines = (project / ".env").read_text("utf-8").splitlines()
        example = (project / ".env.example").read_text("utf-8").splitlines()
        [(before, after)] = set(zip(example, lines, strict=True)) - set(
            zip(example, example, strict=True)
        )
        assert before == "AUTH_SECRETS="
        secrets.add(after.removeprefix(before))
    assert len(secrets) == 2
    assert all(len(secret) == 64 for secret in secrets)


def test_without_users_the_first_run_copies_the_example(template: Path, tmp_path: Path) -> None:
    project = write(template, tmp_path, {"jwt_auth": False})
    check("make", ".env", cwd=project)
    assert (project / ".env").read_bytes() == (project / ".env.example").read_bytes()
