"""Everything that can be set from outside, read once, at the start."""

import os
from functools import cache
from pathlib import Path

from dotenv.parser import Original, parse_stream
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
    faults = find_dotenv_faults()
    if not faults:
        try:
            return Settings()
        except ValidationError as error:
            faults = [describe(fault["loc"], fault["msg"]) for fault in error.errors()]
        except SettingsError as error:
            faults = [f"  {error}"]
    raise SystemExit("\n".join(["The service cannot start. Please fix these settings:", *faults]))


def find_dotenv_faults() -> list[str]:
    """List what of `.env` would end in a traceback, or be ignored without a word."""
    file = Settings.model_config.get("env_file")
    if not isinstance(file, str) or not os.path.lexists(file) or Path(file).is_fifo():
        return []
    try:
        with Path(file).open(encoding="utf-8-sig") as lines:
            bindings = list(parse_stream(lines))
    except UnicodeDecodeError:
        return [f"  {file}: is not UTF-8; save it as UTF-8"]
    except OSError as error:
        return [f"  {file}: {error.strerror}; it must be a file that you may read"]
    return [
        f"  {file}, line {line_of(binding.original)}: must be NAME=value"
        for binding in bindings
        if binding.error or (binding.key and binding.value is None)
    ]


def line_of(original: Original) -> int:
    """Find the line of a statement, which begins with the empty lines before it."""
    return original.line + original.string[: -len(original.string.lstrip())].count("\n")


def describe(location: tuple[int | str, ...], message: str) -> str:
    """Name the environment variable and its fault, but never its value."""
    name = str(location[0]).upper() if location else "SETTINGS"
    return f"  {name}: {message.removeprefix('Value error, ')}"
