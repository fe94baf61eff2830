"""Everything that can be set from outside, read once, at the start."""

from functools import cache

from pydantic import ValidationError
from pydantic_settings import SettingsError

# {% if jwt_auth %}
from app.auth.settings import AuthSettings
# {% endif %}
# {% if caching %}
from app.cache.settings import CacheSettings
# {% endif %}
# {% if cors %}
from app.cors import CorsSettings
# {% endif %}
# {% if database != 'none' %}
from app.database.settings import DatabaseSettings
# {% endif %}
from app.environment import ServiceSettings
# {% if background_tasks %}
from app.jobs.settings import JobSettings
# {% endif %}
# {% if rate_limiting %}
from app.limits.settings import LimitSettings
# {% endif %}
# {% if redis %}
from app.redis import RedisSettings
# {% endif %}
# {% if websockets %}
from app.rooms.settings import RoomsSettings
# {% endif %}
# {% if telemetry %}
from app.telemetry.settings import TelemetrySettings
# {% endif %}


class Settings(
    # {% if jwt_auth %}
    AuthSettings,
    # {% endif %}
    # {% if caching %}
    CacheSettings,
    # {% endif %}
    # {% if cors %}
    CorsSettings,
    # {% endif %}
    # {% if database != 'none' %}
    DatabaseSettings,
    # {% endif %}
    # {% if background_tasks %}
    JobSettings,
    # {% endif %}
    # {% if rate_limiting %}
    LimitSettings,
    # {% endif %}
    # {% if redis %}
    RedisSettings,
    # {% endif %}
    # {% if websockets %}
    RoomsSettings,
    # {% endif %}
    # {% if telemetry %}
    TelemetrySettings,
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
