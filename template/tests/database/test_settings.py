import pytest
from pydantic import ValidationError

from app.settings import Settings


def address(url: str) -> str:
    return Settings(database_url=url).database_url.get_secret_value()


@pytest.mark.parametrize(
    ("given", "driven"),
    [
        # {% if database == 'postgresql' %}
        ("postgres://ann:pw@db:5432/shop", "postgresql://ann:pw@db:5432/shop"),
        ("postgresql://db/shop?sslmode=require", "postgresql://db/shop?sslmode=require"),
        ("postgresql+asyncpg://db/shop", "postgresql://db/shop"),
        # {% endif %}
        ("sqlite:///app.db", "sqlite+aiosqlite:///app.db"),
        ("sqlite+aiosqlite:////data/app.db", "sqlite+aiosqlite:////data/app.db"),
    ],
)
def test_usual_addresses_are_accepted(given: str, driven: str) -> None:
    assert address(given) == driven


@pytest.mark.parametrize(
    "url",
    [
        # {% if database == 'postgresql' %}
        "postgresql://ann:hunter2@db:port/shop",
        "postgresql://ann:hunter2@db",
        "postgresql+psycopg://ann:hunter2@db/shop",
        # {% endif %}
        "mysql://ann:hunter2@db/shop",
        "ann:hunter2",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
    ],
)
def test_other_addresses_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValidationError, match="must look like") as error:
        Settings(database_url=url)
    assert "hunter2" not in str(error.value)


def test_the_address_is_not_shown(client: object) -> None:
    settings = Settings(database_url="sqlite:///hunter2.db")
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump_json()}"


@pytest.mark.parametrize("environment", ["local", "test"])
def test_a_file_is_the_default(monkeypatch: pytest.MonkeyPatch, environment: str) -> None:
    monkeypatch.delenv("DATABASE_URL")
    settings = Settings(environment=environment)
    assert settings.database_url.get_secret_value() == "sqlite+aiosqlite:///app.db"


# {% if database == 'postgresql' %}
@pytest.mark.parametrize("environment", ["staging", "production"])
def test_a_deployed_service_needs_an_address(
    monkeypatch: pytest.MonkeyPatch, environment: str
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    with pytest.raises(ValidationError, match="is missing: name the database"):
        Settings(environment=environment)


# {% endif %}
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("database_pool_size", 0),
        ("database_max_overflow", -1),
        ("database_pool_timeout", 0),
        ("database_connect_timeout", 0),
    ],
)
def test_impossible_limits_are_refused(name: str, value: int) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings.model_validate({name: value})
