"""Log in, stay logged in, log out."""

from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import refresh_tokens
from app.auth.access_tokens import Claims
from app.auth.passwords import PasswordHasher
from app.auth.problems import InvalidCredentialsError, InvalidRefreshTokenError
from app.auth.scopes import common, narrow
from app.auth.settings import AuthSettings
from app.users.models import User
from app.users.schemas import normalise_email

logger = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True)
class Grant:
    """What a login gives: claims to sign, and a refresh token."""

    claims: Claims
    refresh_token: str


class LoginService:
    """Give tokens to those who know a password, or have a refresh token."""

    def __init__(
        self, session: AsyncSession, hasher: PasswordHasher, settings: AuthSettings
    ) -> None:
        self.session = session
        self.hasher = hasher
        self.settings = settings

    async def log_in(self, username: str, password: str, scope: str) -> Grant:
        """Exchange a password for tokens (RFC 6749, section 4.3).

        Raises:
            InvalidCredentialsError: the user is unknown or deactivated, or the password wrong.
            InvalidScopeError: the user may not have the scope.
        """
        user = await self.authenticate(username, password)
        granted = narrow(user.scope, scope)
        family = await refresh_tokens.start_family(
            self.session, self.settings, user_id=user.id, scope=granted
        )
        token = await refresh_tokens.issue(self.session, self.settings, family)
        return Grant(Claims(sub=user.id, sid=family.id, scope=granted), token)

    async def refresh(self, refresh_token: str, scope: str) -> Grant:
        """Exchange a refresh token for new tokens (RFC 6749, section 6).

        The old token stops working at once. Rights that the user has lost since the login are not
        in the new access token.

        Raises:
            InvalidRefreshTokenError: unknown, used before, expired or revoked.
            InvalidScopeError: more is asked for than at the login.
        """
        family_id = await refresh_tokens.spend(self.session, refresh_token)
        found = await refresh_tokens.find_family(self.session, family_id)
        if found is None:
            raise InvalidRefreshTokenError
        family, user = found
        allowed = common(family.scope, user.scope)
        granted = narrow(allowed, scope) if scope else allowed
        token = await refresh_tokens.issue(self.session, self.settings, family)
        return Grant(Claims(sub=user.id, sid=family.id, scope=granted), token)

    async def authenticate(self, username: str, password: str) -> User:
        """Find the user whose password this is, in a time that does not tell if there is one.

        Raises:
            InvalidCredentialsError: there is none.
        """
        user_id, old_hash = await find_password_hash(self.session, username)
        # No connection waits for its turn with the password.
        await self.session.commit()
        new_hash = await self.hasher.verify(password, old_hash)
        if new_hash is None:
            logger.info("login_refused", user_id=user_id and str(user_id))
            raise InvalidCredentialsError
        # Written even if it is the same: of a login and a change of the password at the same time,
        # the later one then sees the earlier one.
        unchanged = await self.session.execute(
            update(User)
            .where(User.id == user_id, User.password_hash == old_hash, User.is_active)
            .values(password_hash=new_hash)
            .returning(User)
        )
        user = unchanged.scalar_one_or_none()
        if user is None:
            raise InvalidCredentialsError
        return user


async def find_password_hash(
    session: AsyncSession, username: str
) -> tuple[UUID, str] | tuple[None, None]:
    """Look an active user up by e-mail address."""
    try:
        email = normalise_email(username)
    except ValueError:
        return None, None
    found = await session.execute(
        select(User.id, User.password_hash).where(User.email == email, User.is_active)
    )
    return found.one_or_none() or (None, None)


async def identify(session: AsyncSession, claims: Claims) -> tuple[User, str] | None:
    """Find the user of an access token, and the scope that is left of the token's.

    There is none when the login has been revoked or the user deactivated, even just now.
    """
    found = await refresh_tokens.find_family(session, claims.sid)
    if found is None:
        return None
    _, user = found
    return user, common(claims.scope, user.scope)


async def log_out(session: AsyncSession, refresh_token: str) -> None:
    """End the login that a refresh token comes from, if there is one (RFC 7009)."""
    family_id = await refresh_tokens.find_family_id(session, refresh_token)
    if family_id:
        await refresh_tokens.revoke_family(session, family_id)
