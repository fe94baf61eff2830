"""Sign and verify access tokens: JWTs as RFC 9068 describes them."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid4

import jwt
from pydantic import BaseModel, ValidationError

from app.auth.settings import AuthSettings

ALGORITHM = "HS256"
TYPE = "at+jwt"
CLOCK_SKEW = timedelta(seconds=10)


class InvalidTokenError(Exception):
    """The token is not ours, not an access token, or not valid at this time."""


class Claims(BaseModel):
    """For whom a token speaks (`sub`), since which login (`sid`), and for what (`scope`)."""

    sub: UUID
    sid: UUID
    scope: str


class AccessTokens:
    """Sign with the first secret; accept what any of them has signed."""

    def __init__(self, settings: AuthSettings) -> None:
        secrets = [secret.get_secret_value().encode() for secret in settings.auth_secrets]
        self.keys = {key_id(secret): secret for secret in secrets}
        self.signing_key_id = key_id(secrets[0])
        self.issuer = settings.jwt_issuer
        self.audience = settings.jwt_audience
        self.lifetime = settings.access_token_lifetime

    def sign(self, claims: Claims) -> str:
        """Write a token that is good from now on for its lifetime."""
        now = datetime.now(UTC)
        payload = claims.model_dump(mode="json") | {
            "iss": self.issuer,
            "aud": self.audience,
            "iat": now,
            "exp": now + self.lifetime,
            "jti": str(uuid4()),
        }
        headers = {"kid": self.signing_key_id, "typ": TYPE}
        return jwt.encode(payload, self.keys[self.signing_key_id], ALGORITHM, headers)

    def verify(self, token: str) -> Claims:
        """Read a token that this service has signed as an access token for itself.

        Raises:
            InvalidTokenError: for whichever reason.
        """
        try:
            key = self.keys[jwt.get_unverified_header(token)["kid"]]
            content = jwt.decode_complete(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self.audience,
                issuer=self.issuer,
                leeway=CLOCK_SKEW,
                options={"require": ["exp", "iat", "jti"], "strict_aud": True},
            )
            if content["header"].get("typ") != TYPE:
                raise InvalidTokenError
            return Claims.model_validate(content["payload"])
        except (KeyError, jwt.PyJWTError, ValidationError) as error:
            raise InvalidTokenError from error


def key_id(secret: bytes) -> str:
    """Name a secret without telling it."""
    return sha256(b"kid:" + secret).hexdigest()[:16]
