"""What a token may be used for."""

from enum import StrEnum

from app.auth.problems import InvalidScopeError


class Scope(StrEnum):
    """A right beyond that of every user to their own data."""

    ADMIN = "admin"


DESCRIPTIONS = {Scope.ADMIN: "Manage the users"}


def narrow(granted: str, requested: str) -> str:
    """Give the requested part of what has been granted, both as OAuth writes scopes.

    Raises:
        InvalidScopeError: something is requested that has not been granted.
    """
    scopes = set(requested.split())
    if not scopes <= set(granted.split()):
        raise InvalidScopeError
    return " ".join(sorted(scopes))


def common(first: str, second: str) -> str:
    """Give the scopes that are in both."""
    return " ".join(sorted(set(first.split()) & set(second.split())))
