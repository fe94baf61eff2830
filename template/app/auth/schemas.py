"""What crosses the wire at login, as RFC 6749 names it."""

from typing import Literal

from pydantic import BaseModel, SecretStr


class RefreshRequest(BaseModel):
    """Ask for new tokens with a refresh token; for fewer scopes than before, if any are named.

    OAuth2 clients understand only one form of refusal, so nothing is required here: see
    `TokenEndpoint`.
    """

    refresh_token: SecretStr = SecretStr("")
    scope: str = ""


class TokenRequest(RefreshRequest):
    """Ask for tokens with a password, or with a refresh token, as `grant_type` says."""

    grant_type: str = ""
    username: str = ""
    password: SecretStr = SecretStr("")


class RevocationRequest(BaseModel):
    """Give a refresh token back (RFC 7009)."""

    token: SecretStr = SecretStr("")


class TokenResponse(BaseModel):
    """An access token for the next minutes, and a refresh token that is good for one use."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  no secret
    expires_in: int
    refresh_token: str
    scope: str | None = None
