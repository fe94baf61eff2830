"""Accounts: opened, secured, closed."""

from uuid import UUID

import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.passwords import PasswordHasher
from app.auth.refresh_tokens import revoke_families_of
from app.auth.scopes import Scope
from app.database.paging import Paging, Slice, read_slice
from app.users.models import User
from app.users.problems import UserNotFoundError, WrongPasswordError

logger = structlog.stdlib.get_logger(__name__)


async def register(
    session: AsyncSession, hasher: PasswordHasher, *, email: str, password: str
) -> None:
    """Open an account, unless the address has one already; the caller is not told which."""
    password_hash = await hasher.hash(password)
    try:
        async with session.begin_nested():
            session.add(User(email=email, password_hash=password_hash))
    except IntegrityError:
        logger.info("known_address_registered")


async def make_admin(
    session: AsyncSession, hasher: PasswordHasher, *, email: str, password: str
) -> None:
    """Give the address an account that may do everything, with this password.

    An account that exists already may be somebody else's, for addresses are not verified: its old
    password and all its logins end.
    """
    password_hash = await hasher.hash(password)
    user = await session.scalar(select(User).where(User.email == email))
    if user is None:
        user = User(email=email)
        session.add(user)
    user.password_hash = password_hash
    user.scope = Scope.ADMIN
    user.is_active = True
    await session.flush()
    await revoke_families_of(session, user.id)


async def change_password(
    session: AsyncSession, hasher: PasswordHasher, user: User, *, current: str, new: str
) -> None:
    """Replace the password, and end all logins of the user.

    Raises:
        WrongPasswordError: the current password is another, or has just been changed.
    """
    old_hash = await session.scalar(select(User.password_hash).where(User.id == user.id))
    # No connection waits for its turn with the passwords.
    await session.commit()
    if await hasher.verify(current, old_hash) is None:
        raise WrongPasswordError
    new_hash = await hasher.hash(new)
    changed = await session.scalar(
        update(User)
        .where(User.id == user.id, User.password_hash == old_hash, User.is_active)
        .values(password_hash=new_hash)
        .returning(User.id)
    )
    if changed is None:
        raise WrongPasswordError
    await revoke_families_of(session, user.id)


async def set_active(session: AsyncSession, user_id: UUID, *, active: bool) -> User:
    """Let a user log in, or shut the user out at once.

    Raises:
        UserNotFoundError: there is none.
    """
    user = await session.get(User, user_id)
    if user is None:
        raise UserNotFoundError
    user.is_active = active
    if not active:
        await revoke_families_of(session, user_id)
    return user


async def list_users(session: AsyncSession, paging: Paging) -> Slice[User]:
    """Read a part of the list of all users, oldest first."""
    return await read_slice(session, select(User).order_by(User.id), paging)
