"""Limit the guessing of passwords, and shut nobody out for long."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from hashlib import sha256

from fastapi import Depends, Request
from limits import RateLimitItem, RateLimitItemPerDay

from app.limits.callers import address_of, caller_of
from app.limits.limiter import Limiter, limiter_of
from app.limits.problems import TooManyAttemptsError
from app.limits.settings import LimitSettings
from app.users.schemas import normalise_email

# Used up by the first success at an account from an address, which is then known for so long.
FIRST_SUCCESS = RateLimitItemPerDay(1, 30)


async def count_login(request: Request) -> AsyncIterator[None]:
    """Count what is done without an access token: to log in, to refresh, to register."""
    form = await request.form()
    username = form.get("username")
    tries_password = form.get("grant_type") == "password" and isinstance(username, str)
    async with attempt(request, str(username) if tries_password else ""):
        yield


async def count_password_change(request: Request) -> AsyncIterator[None]:
    """Count attempts to tell the password of the user whose access token is at hand."""
    async with attempt(request, caller_of(request.scope)):
        yield


limit_logins = Depends(count_login)
limit_password_changes = Depends(count_password_change)


@asynccontextmanager
async def attempt(request: Request, account: str) -> AsyncIterator[None]:
    """Refuse an attempt before it costs anything, when too many have gone before.

    An address has a number of attempts, and a smaller one for each account. All addresses together
    have one for each account, save those from which it has been a success before: whoever guesses
    elsewhere does not shut the owner out. A success takes back the failures before it. Whether
    there is such an account makes no difference.

    Raises:
        TooManyAttemptsError: there were.
    """
    settings: LimitSettings = request.app.state.settings
    limiter = limiter_of(request.scope)
    endpoint = request.scope["endpoint"].__name__
    address = address_of(request.scope)

    await spend(limiter, settings.login_limit_per_address, endpoint, address)
    if not account:
        yield
        return
    name = name_of(account)
    both = (endpoint, name, address)
    await spend(limiter, settings.login_limit_per_account_and_address, *both)
    if not await limiter.is_used_up(FIRST_SUCCESS, *both):
        await spend(limiter, settings.login_limit_per_account, endpoint, name)
    yield
    await limiter.forget(settings.login_limit_per_account_and_address, *both)
    await limiter.hit(FIRST_SUCCESS, *both)


async def spend(limiter: Limiter, limit: RateLimitItem, *key: str) -> None:
    """Count an attempt.

    Raises:
        TooManyAttemptsError: none is left.
    """
    usage = await limiter.hit(limit, *key)
    if not usage.allowed:
        raise TooManyAttemptsError(usage)


def name_of(account: str) -> str:
    """Write an account in one way, however it is spelled, and without telling which it is."""
    with suppress(ValueError):
        account = normalise_email(account)
    return sha256(account.encode()).hexdigest()
