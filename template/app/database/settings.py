"""Where the database is, and how long to wait for it."""

from urllib.parse import urlsplit

from pydantic import (
    Field,
    SecretStr,
    # {% if database == 'postgresql' %}
    ValidationInfo,
    # {% endif %}
    field_validator,
)

from app.environment import (
    ServiceSettings,
    # {% if database == 'postgresql' %}
    is_deployed,
    # {% endif %}
)

SQLITE_FILE = "sqlite:///app.db"
# {% if database == 'postgresql' %}
EXAMPLE = "postgresql://user:password@host:5432/name"
# {% else %}
EXAMPLE = SQLITE_FILE
# {% endif %}
DRIVERS = {
    # {% if database == 'postgresql' %}
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "postgresql+asyncpg": "postgresql",
    # {% endif %}
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
}


class DatabaseSettings(ServiceSettings):
    """The address may hold a password; all times are in seconds."""

    database_url: SecretStr = Field(default=SecretStr(""), validate_default=True)
    database_pool_size: int = Field(default=5, ge=1)
    database_max_overflow: int = Field(default=5, ge=0)
    database_pool_timeout: float = Field(default=5, gt=0)
    database_connect_timeout: float = Field(default=5, gt=0)
    # {% if database == 'postgresql' %}
    database_statement_timeout: float = Field(default=30, ge=0)

    @field_validator("database_url")
    @classmethod
    def require_database(cls, url: SecretStr, info: ValidationInfo) -> SecretStr:
        """Refuse, once deployed, to keep data in a file that nobody has asked for."""
        if not url and is_deployed(info):
            message = f"is missing: name the database, such as {EXAMPLE}"
            raise ValueError(message)
        return url
    # {% endif %}

    @field_validator("database_url")
    @classmethod
    def require_known_driver(cls, url: SecretStr) -> SecretStr:
        """Accept the addresses that platforms and libraries hand out, in the form of the driver."""
        scheme, _, rest = (url.get_secret_value() or SQLITE_FILE).partition("://")
        if scheme not in DRIVERS or not is_address(f"{DRIVERS[scheme]}://{rest}"):
            message = f"must look like {EXAMPLE}"
            raise ValueError(message)
        return SecretStr(f"{DRIVERS[scheme]}://{rest}")


def is_address(text: str) -> bool:
    """Whether the text names a database; SQLite's in memory is gone before anyone can use it."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        return False
    return port != 0 and url.path.strip("/") != "" and ":memory:" not in url.path
