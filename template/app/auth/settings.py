"""The secrets that sign tokens, and how long a login lasts."""

import re
from datetime import timedelta
from secrets import token_urlsafe
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from app.environment import ServiceSettings, is_deployed, split_commas
from app.project import PROJECT

SECRET_BYTES = 32
PLACEHOLDER = re.compile(r"change|example|placeholder|replace|sample|secret", re.IGNORECASE)

Secrets = Annotated[list[SecretStr], NoDecode, BeforeValidator(split_commas)]
Lifetime = Annotated[timedelta, Field(gt=timedelta(0))]


class AuthSettings(ServiceSettings):
    """How tokens are signed, and for how long they are good."""

    auth_secrets: Secrets = Field(default_factory=list, validate_default=True)
    jwt_issuer: str = Field(default=PROJECT["slug"], min_length=1)
    jwt_audience: str = Field(default=PROJECT["slug"], min_length=1)
    access_token_lifetime: Lifetime = Field(default=timedelta(minutes=15), le=timedelta(hours=1))
    refresh_token_lifetime: Lifetime = timedelta(days=14)
    login_lifetime: Lifetime = timedelta(days=90)
    password_hashing_limit: int = Field(default=2, ge=1)

    @field_validator("auth_secrets")
    @classmethod
    def require_strong_secrets(
        cls, secrets: list[SecretStr], info: ValidationInfo
    ) -> list[SecretStr]:
        """Refuse secrets that can be guessed; make one up for a single local process."""
        if not secrets:
            if is_deployed(info) or info.data.get("workers") != 1:
                raise ValueError(
                    "is missing: give a random secret of at least 32 bytes, which all processes "
                    """share; python -c "import secrets; print(secrets.token_urlsafe(48))" """
                    "prints one"
                )
            return [SecretStr(token_urlsafe(48))]
        values = [secret.get_secret_value() for secret in secrets]
        if any(len(value.encode()) < SECRET_BYTES for value in values):
            raise ValueError("must have at least 32 bytes each (RFC 7518, section 3.2)")
        if any(PLACEHOLDER.search(value) for value in values):
            raise ValueError("must be random: one of them looks like a placeholder")
        return secrets
