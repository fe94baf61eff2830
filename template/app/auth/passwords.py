"""Hash and verify passwords with Argon2, off the event loop and a few at a time."""

from typing import Annotated
from unicodedata import normalize

from anyio import CapacityLimiter, to_thread
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pydantic import AfterValidator, Field, SecretStr

MIN_LENGTH = 12
MAX_LENGTH = 128
EXAMPLE_PASSWORD = "four words in a row"  # noqa: S105  for the documentation

# The costs of RFC 9106, section 4, for machines with little memory (64 MiB). One lane instead of
# four costs an attacker as much, and leaves the other cores to other requests.
TIME_COST = 3
MEMORY_COST = 64 * 1024
LANES = 1
HASH_OF_NOBODY = f"$argon2id$v=19$m={MEMORY_COST},t={TIME_COST},p={LANES}${'A' * 22}${'A' * 43}"


def normalise(password: str) -> str:
    """Write the same characters as the same bytes, whichever keyboard they come from (RFC 8265).

    Raises:
        ValueError: too long, or not Unicode text.
    """
    # Before anything else: the time to normalise grows with the square of the length.
    if len(password) > 4 * MAX_LENGTH:
        raise ValueError(f"must have at most {MAX_LENGTH} characters")
    password = normalize("NFC", password)
    if any("\ud800" <= character <= "\udfff" for character in password):
        raise ValueError("must be Unicode text")
    return password


def require_good_length(password: SecretStr) -> SecretStr:
    """Normalise a new password, and refuse one that is easily guessed.

    Raises:
        ValueError: it is too short or too long, or not Unicode text.
    """
    text = normalise(password.get_secret_value())
    if not MIN_LENGTH <= len(text) <= MAX_LENGTH:
        raise ValueError(f"must have {MIN_LENGTH} to {MAX_LENGTH} characters")
    return SecretStr(text)


NewPassword = Annotated[
    SecretStr,
    AfterValidator(require_good_length),
    Field(
        examples=[EXAMPLE_PASSWORD],
        json_schema_extra={"minLength": MIN_LENGTH, "maxLength": MAX_LENGTH},
    ),
]


class PasswordHasher:
    """Argon2id, in threads, of which at most `limit` work at a time."""

    def __init__(self, limit: int) -> None:
        self.argon2 = PasswordHash([Argon2Hasher(TIME_COST, MEMORY_COST, LANES)])
        self.limiter = CapacityLimiter(limit)

    async def hash(self, password: str) -> str:
        """Hash a password that is to be stored."""
        return await to_thread.run_sync(self.argon2.hash, normalise(password), limiter=self.limiter)

    async def verify(self, password: str, password_hash: str | None) -> str | None:
        """Give the hash to store from now on if the password is right, none if it is wrong.

        The returned hash differs from the given one when the costs have been raised since. Without
        a hash, as of an unknown user, the answer is none after the same time.
        """
        try:
            password = normalise(password)
        except ValueError:
            return None
        if len(password) > MAX_LENGTH:
            return None
        right, stronger_hash = await to_thread.run_sync(
            self.argon2.verify_and_update,
            password,
            password_hash or HASH_OF_NOBODY,
            limiter=self.limiter,
        )
        return (stronger_hash or password_hash) if right else None
