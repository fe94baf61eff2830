"""Hand out refresh tokens, exchange them, and notice when one has been stolen."""

from hashlib import sha256
from secrets import token_urlsafe
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import RefreshToken, TokenFamily
from app.auth.problems import InvalidRefreshTokenError
from app.auth.settings import AuthSettings
from app.database.base import utc_now
from app.users.models import User

logger = structlog.stdlib.get_logger(__name__)


def hash_token(token: str) -> str:
    """Hash a token; it is random, so that a fast hash is enough."""
    return sha256(token.encode()).hexdigest()


async def start_family(
    session: AsyncSession, settings: AuthSettings, *, user_id: UUID, scope: str
) -> TokenFamily:
    """Open a login, and forget those of the same user that are over."""
    now = utc_now()
    await session.execute(
        delete(TokenFamily).where(TokenFamily.user_id == user_id, TokenFamily.expires_at <= now)
    )
    expires_at = now + settings.login_lifetime
    family = TokenFamily(user_id=user_id, scope=scope, expires_at=expires_at)
    session.add(family)
    await session.flush()
    return family


async def find_family(session: AsyncSession, family_id: UUID) -> tuple[TokenFamily, User] | None:
    """Find a login that goes on, and its user."""
    found = await session.execute(
        select(TokenFamily, User)
        .join(User, User.id == TokenFamily.user_id)
        .where(
            TokenFamily.id == family_id,
            TokenFamily.revoked_at.is_(None),
            TokenFamily.expires_at > utc_now(),
            User.is_active,
        )
    )
    return found.one_or_none()


async def issue(session: AsyncSession, settings: AuthSettings, family: TokenFamily) -> str:
    """Make a refresh token, which does not outlive its family."""
    token = token_urlsafe(32)
    expires_at = min(utc_now() + settings.refresh_token_lifetime, family.expires_at)
    session.add(
        RefreshToken(token_hash=hash_token(token), family_id=family.id, expires_at=expires_at)
    )
    await session.flush()
    return token


async def spend(session: AsyncSession, token: str) -> UUID:
    """Use a refresh token up, and name its family.

    Of several requests with the same token, one succeeds. Presenting a spent token revokes its
    whole family, because one of the two holders is a thief (RFC 9700, section 4.14).

    Raises:
        InvalidRefreshTokenError: unknown, spent or expired.
    """
    now = utc_now()
    spent = await session.execute(
        update(RefreshToken)
        .where(
            RefreshToken.token_hash == hash_token(token),
            RefreshToken.rotated_at.is_(None),
            RefreshToken.expires_at > now,
        )
        .values(rotated_at=now)
        .returning(RefreshToken.family_id)
    )
    family_id = spent.scalar_one_or_none()
    if family_id is None:
        await revoke_family_if_spent(session, token)
        raise InvalidRefreshTokenError
    return family_id


async def revoke_family_if_spent(session: AsyncSession, token: str) -> None:
    """End the login of which a used-up token turns up again."""
    family_id = await find_family_id(session, token, RefreshToken.rotated_at.is_not(None))
    if family_id:
        logger.warning("spent_refresh_token_presented", family_id=str(family_id))
        await revoke_family(session, family_id)
        # The error that follows undoes the transaction, but not this.
        await session.commit()


async def find_family_id(
    session: AsyncSession, token: str, *conditions: ColumnElement[bool]
) -> UUID | None:
    """Name the login that a token comes from."""
    return await session.scalar(
        select(RefreshToken.family_id).where(
            RefreshToken.token_hash == hash_token(token), *conditions
        )
    )


async def revoke_family(session: AsyncSession, family_id: UUID) -> None:
    """End one login."""
    await session.execute(
        update(TokenFamily)
        .where(TokenFamily.id == family_id, TokenFamily.revoked_at.is_(None))
        .values(revoked_at=utc_now())
    )


async def revoke_families_of(session: AsyncSession, user_id: UUID) -> None:
    """End all logins of a user."""
    await session.execute(
        update(TokenFamily)
        .where(TokenFamily.user_id == user_id, TokenFamily.revoked_at.is_(None))
        .values(revoked_at=utc_now())
    )
