"""The token endpoint of OAuth 2: which parameters it takes, and what it answers."""

from typing import Annotated

from fastapi import Depends

from app.auth.dependencies import CurrentAccessTokens, CurrentAuthSettings, CurrentPasswordHasher
from app.auth.problems import InvalidRequestError, UnsupportedGrantTypeError
from app.auth.schemas import RefreshRequest, TokenRequest, TokenResponse
from app.auth.service import Grant, LoginService
from app.database.session import Session


class TokenEndpoint:
    """Give tokens for a password or for a refresh token."""

    def __init__(
        self,
        session: Session,
        hasher: CurrentPasswordHasher,
        access_tokens: CurrentAccessTokens,
        settings: CurrentAuthSettings,
    ) -> None:
        self.service = LoginService(session, hasher, settings)
        self.access_tokens = access_tokens

    async def exchange(self, request: TokenRequest) -> TokenResponse:
        """Answer whichever grant it is."""
        match require("grant_type", request.grant_type):
            case "password":
                return await self.log_in(request)
            case "refresh_token":
                return await self.refresh(request)
        raise UnsupportedGrantTypeError

    async def log_in(self, request: TokenRequest) -> TokenResponse:
        """Answer the grant of a password."""
        username = require("username", request.username)
        password = require("password", request.password.get_secret_value())
        grant = await self.service.log_in(username, password, request.scope)
        return self.respond(grant)

    async def refresh(self, request: RefreshRequest) -> TokenResponse:
        """Answer the grant of a refresh token."""
        refresh_token = require("refresh_token", request.refresh_token.get_secret_value())
        grant = await self.service.refresh(refresh_token, request.scope)
        return self.respond(grant)

    def respond(self, grant: Grant) -> TokenResponse:
        """Sign the access token."""
        return TokenResponse(
            access_token=self.access_tokens.sign(grant.claims),
            expires_in=int(self.access_tokens.lifetime.total_seconds()),
            refresh_token=grant.refresh_token,
            scope=grant.claims.scope or None,
        )


def require(name: str, value: str) -> str:
    """Refuse an empty parameter, which RFC 6749 treats as a missing one.

    Raises:
        InvalidRequestError: it is empty.
    """
    if not value:
        raise InvalidRequestError(name)
    return value


CurrentTokenEndpoint = Annotated[TokenEndpoint, Depends()]
