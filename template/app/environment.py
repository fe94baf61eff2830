"""The settings that every service has, and what the settings of features are built on."""

import re
from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]", "testserver"]
ROOT_PATH_PATTERN = re.compile(r"(/[A-Za-z0-9._~-]+)*")
HOST_PATTERN = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]", re.IGNORECASE)


class Environment(StrEnum):
    """Where the service runs."""

    LOCAL = "local"
    TEST = "test"
    STAGING = "staging"
    PRODUCTION = "production"


def is_deployed(info: ValidationInfo) -> bool:
    """Whether the service faces the world; an unreadable ENVIRONMENT is taken to mean that."""
    return info.data.get("environment") not in {Environment.LOCAL, Environment.TEST}


def split_commas(value: object) -> object:
    """Read `a, b` as a list of two; leave everything else to the field's type."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    return value


def upper(value: object) -> object:
    """Read `info` as `INFO`."""
    return value.upper() if isinstance(value, str) else value


def without_brackets(value: object) -> object:
    """Read `[::1]` as `::1`."""
    return value.removeprefix("[").removesuffix("]") if isinstance(value, str) else value


def in_url(host: str) -> str:
    """Write `::1` as URLs and the header `Host` do: `[::1]`."""
    return f"[{host}]" if ":" in host else host


CommaSeparated = Annotated[list[str], NoDecode, BeforeValidator(split_commas)]
LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(upper)
]


class ServiceSettings(BaseSettings):
    """How the service is served.

    `environment` stays the first field: the validators of all others, here and in the features'
    settings, look it up with `is_deployed`.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8-sig",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    environment: Environment = Environment.LOCAL
    host: Annotated[str, BeforeValidator(without_brackets)] = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    workers: int = Field(default=1, ge=1)
    max_connections: int = Field(default=1024, ge=1)
    backlog: int = Field(default=1024, ge=128)
    keep_alive_seconds: int = Field(default=75, ge=1)
    log_level: LogLevel = "INFO"
    allowed_hosts: CommaSeparated = Field(default_factory=list)
    trusted_proxies: CommaSeparated = Field(default_factory=list)
    root_path: str = ""
    max_body_bytes: int = Field(default=1024 * 1024, ge=1)
    shutdown_timeout: int = Field(default=30, ge=1)
    drain_seconds: int = Field(default=0, ge=0)
    docs_enabled: bool = True

    @field_validator("allowed_hosts")
    @classmethod
    def require_host_names(cls, hosts: list[str], info: ValidationInfo) -> list[str]:
        """Refuse, once deployed, to answer under a name that nobody has listed."""
        if not is_deployed(info):
            own = in_url(info.data.get("host", "127.0.0.1"))
            return list(dict.fromkeys([*(hosts or LOCAL_HOSTS), own]))
        if not hosts:
            raise ValueError("is missing: list the host names of the service, separated by commas")
        if "*" in hosts:
            raise ValueError(
                "must not be *: list the host names, or a pattern such as *.example.com"
            )
        if not all(HOST_PATTERN.fullmatch(host) for host in hosts):
            raise ValueError("must list host names only, without scheme, port or path")
        return hosts

    @field_validator("trusted_proxies")
    @classmethod
    def require_networks(cls, proxies: list[str]) -> list[str]:
        """Refuse what is no network, and to believe everybody."""
        for proxy in proxies:
            try:
                network = ip_network(proxy)
            except ValueError:
                message = "must list addresses or networks, such as 10.0.0.7, 10.0.0.0/8, ::1"
                raise ValueError(message) from None
            if network.prefixlen == 0:
                raise ValueError("must not trust everybody: a caller could claim any address")
        return proxies

    @field_validator("root_path")
    @classmethod
    def require_path(cls, path: str) -> str:
        """Accept a path with a slash at its end, which is dropped, and nothing else."""
        path = path.rstrip("/")
        if not ROOT_PATH_PATTERN.fullmatch(path):
            raise ValueError("must be a path that begins with a slash, such as /shop")
        return path
