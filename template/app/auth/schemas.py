"""What crosses the wire at login, as RFC 6749 names it.

OAuth2 clients understand only one form of refusal, so what is required in the document has an empty
default here: see `TokenEndpoint`.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from app.auth.passwords import EXAMPLE_PASSWORD

# A plain default, which is refused, would be in the document.
Text = Annotated[str, Field(default_factory=str)]
Secret = Annotated[SecretStr, Field(default_factory=lambda: SecretStr(""))]


def requiring(*names: str, **more: Any) -> ConfigDict:
    """Document fields as required."""
    return ConfigDict(json_schema_extra={"required": list(names), **more})


class RefreshRequest(BaseModel):
    """Ask for new tokens with a refresh token; for fewer scopes than before, if any are named."""

    model_config = requiring("refresh_token")

    refresh_token: Annotated[Secret, Field(examples=["the refresh token of your last login"])]
    scope: str = ""


class TokenRequest(RefreshRequest):
    """Ask for tokens with a password, or with a refresh token, as `grant_type` says."""

    model_config = requiring(
        "grant_type",
        **{
            "if": {"properties": {"grant_type": {"const": "password"}}},
            "then": {"required": ["username", "password"]},
            "else": {"required": ["refresh_token"]},
        },
    )

    grant_type: Annotated[Text, Field(json_schema_extra={"enum": ["password", "refresh_token"]})]
    username: Annotated[Text, Field(examples=["jo@example.com"])]
    password: Annotated[Secret, Field(examples=[EXAMPLE_PASSWORD])]


class RevocationRequest(BaseModel):
    """Give a refresh token back (RFC 7009)."""

    model_config = requiring("token")

    token: Annotated[Secret, Field(examples=["the refresh token of your last login"])]


class TokenResponse(BaseModel):
    """An access token for the next minutes, and a refresh token that is good for one use."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  no secret
    expires_in: int
    refresh_token: str
    scope: str | None = None
