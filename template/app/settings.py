"""Everything that can be set from outside, read once, at the start."""

from functools import cache

from pydantic import ValidationError
from pydantic_settings import SettingsError

# {% if jwt_auth %}
from app.auth.settings import AuthSettings
# {% endif %}
# {% if cors %}
from app.cors import CorsSettings
# {% endif %}
# {% if database != 'none' %}
from app.database.settings import DatabaseSettings
# {% endif %}
from app.environment import ServiceSettings


class Settings(
    # {% if jwt_auth %}
    AuthSettings,
    # {% endif %}
    # {% if cors %}
    CorsSettings,
    # {% endif %}
    # {% if database != 'none' %}
    DatabaseSettings,
    # {% endif %}
    ServiceSettings,
):
    """The settings of the service: `max_body_bytes` here is `MAX_BODY_BYTES` outside."""

    # your own below


@cache
def get_settings() -> Settings:
    """Read the settings from the environment and from `.env`.

    Raises:
        SystemExit: a setting is missing or unsafe; the message lists all of them.
    """
    try:
        return Settings()
    except ValidationError as error:
        faults = [describe(fault["loc"], fault["msg"]) for fault in error.errors()]
    except SettingsError as error:
        faults = [f"  {error}"]
    raise SystemExit("\n".join(["The service cannot start. Please mend these settings:", *faults]))


def describe(location: tuple[int | str, ...], message: str) -> str:
    """Name the environment variable and its fault, but never its value."""
    name = str(location[0]).upper() if location else "SETTINGS"
    return f"  {name}: {message.removeprefix('Value error, ')}"
