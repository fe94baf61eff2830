"""Let browsers call the service from other origins (CORS)."""

from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from app.environment import CommaSeparated, ServiceSettings


class CorsSettings(ServiceSettings):
    """Which origins may call, and how."""

    cors_origins: CommaSeparated = Field(default_factory=list)
    cors_allow_credentials: bool = False
    cors_max_age: int = Field(default=600, ge=0)

    @field_validator("cors_origins")
    @classmethod
    def require_origins(cls, origins: list[str]) -> list[str]:
        """Refuse what a browser never sends as an origin."""
        if not all(origin == "*" or is_origin(origin) for origin in origins):
            raise ValueError(
                "must list origins such as https://app.example.com:8443, without a path"
            )
        return origins

    @field_validator("cors_allow_credentials")
    @classmethod
    def require_named_origins(cls, allow: bool, info: ValidationInfo) -> bool:
        """Refuse to let every site in the world act as the signed-in user."""
        if allow and "*" in info.data.get("cors_origins", []):
            raise ValueError("must be false while CORS_ORIGINS is *: name the origins instead")
        return allow


def is_origin(text: str) -> bool:
    """Whether the text is `scheme://host` or `scheme://host:port`, as browsers write it."""
    try:
        url = urlsplit(text)
        port = "" if url.port is None else f":{url.port}"
    except ValueError:
        return False
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    return bool(host) and "*" not in text and text == f"{url.scheme}://{host}{port}"


def cors_middleware(settings: CorsSettings) -> Middleware:
    """Answer preflight requests, and name the allowed origin on every response."""
    return Middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_credentials=settings.cors_allow_credentials,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=[
            # {% if caching %}
            "ETag",
            # {% endif %}
            "Location",
            # {% if rate_limiting %}
            "RateLimit",
            "RateLimit-Policy",
            # {% endif %}
            "Retry-After",
            "X-Request-ID",
        ],
        max_age=settings.cors_max_age,
    )
