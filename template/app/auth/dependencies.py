"""Who is calling, for the signatures of routes."""

from typing import Annotated

from fastapi import Depends, FastAPI, Request, Security
from fastapi.security import OAuth2PasswordBearer, SecurityScopes

from app import API_PREFIX
from app.auth.access_tokens import AccessTokens, InvalidTokenError
from app.auth.passwords import PasswordHasher
from app.auth.problems import (
    InsufficientScopeError,
    InvalidAccessTokenError,
    NotAuthenticatedError,
)
from app.auth.scopes import DESCRIPTIONS, Scope
from app.auth.service import identify
from app.auth.settings import AuthSettings
from app.database.session import Session
from app.users.models import User

bearer = OAuth2PasswordBearer(
    tokenUrl=f"{API_PREFIX}/auth/token",
    refreshUrl=f"{API_PREFIX}/auth/refresh",
    scopes={scope.value: description for scope, description in DESCRIPTIONS.items()},
    auto_error=False,
)


def add_auth(app: FastAPI, settings: AuthSettings) -> None:
    """Prepare what signs tokens and what hashes passwords."""
    app.state.access_tokens = AccessTokens(settings)
    app.state.password_hasher = PasswordHasher(settings.password_hashing_limit)


def get_access_tokens(request: Request) -> AccessTokens:
    """Find the signer of the service that the request came to."""
    access_tokens: AccessTokens = request.app.state.access_tokens
    return access_tokens


def get_password_hasher(request: Request) -> PasswordHasher:
    """Find the hasher of the service that the request came to."""
    hasher: PasswordHasher = request.app.state.password_hasher
    return hasher


def get_auth_settings(request: Request) -> AuthSettings:
    """Find the settings of the service that the request came to."""
    settings: AuthSettings = request.app.state.settings
    return settings


CurrentAccessTokens = Annotated[AccessTokens, Depends(get_access_tokens)]
CurrentAuthSettings = Annotated[AuthSettings, Depends(get_auth_settings)]
CurrentPasswordHasher = Annotated[PasswordHasher, Depends(get_password_hasher)]


async def get_current_user(
    needed: SecurityScopes,
    token: Annotated[str | None, Depends(bearer)],
    access_tokens: CurrentAccessTokens,
    session: Session,
) -> User:
    """Find the user whom the access token speaks for, if it has the scopes that are needed."""
    if not token:
        raise NotAuthenticatedError
    try:
        claims = access_tokens.verify(token)
    except InvalidTokenError:
        raise InvalidAccessTokenError from None
    identified = await identify(session, claims)
    if identified is None:
        raise InvalidAccessTokenError
    user, scope = identified
    if not set(needed.scopes) <= set(scope.split()):
        raise InsufficientScopeError(needed.scope_str)
    return user


CurrentUser = Annotated[User, Security(get_current_user)]
CurrentAdmin = Annotated[User, Security(get_current_user, scopes=[Scope.ADMIN.value])]
