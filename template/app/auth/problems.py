"""Refusals, in the words that OAuth2 clients understand."""

from app.problems import ProblemError


class NotAuthenticatedError(ProblemError):
    """The request says nothing about who is calling (RFC 6750, section 3.1)."""

    def __init__(self) -> None:
        super().__init__(401, "Log in first.", headers={"WWW-Authenticate": "Bearer"})


class InvalidAccessTokenError(ProblemError):
    """The access token is of no use, whatever the reason; it is not told."""

    def __init__(self) -> None:
        detail = "The access token is invalid, expired or revoked."
        challenge = f'Bearer error="invalid_token", error_description="{detail}"'
        super().__init__(401, detail, headers={"WWW-Authenticate": challenge})


class InsufficientScopeError(ProblemError):
    """The access token is good, but not for this."""

    def __init__(self, scope: str) -> None:
        detail = "The access token does not have the scope that is needed."
        challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
        super().__init__(403, detail, headers={"WWW-Authenticate": challenge})


class OAuthError(ProblemError):
    """A problem that is also an error response of RFC 6749, section 5.2."""

    def __init__(self, error: str, detail: str) -> None:
        super().__init__(400, detail)
        self.extensions = {"error": error, "error_description": detail}


class InvalidRequestError(OAuthError):
    """A parameter is missing."""

    def __init__(self, parameter: str) -> None:
        super().__init__("invalid_request", f"The parameter {parameter} is missing.")


class UnsupportedGrantTypeError(OAuthError):
    """Tokens are given for a password or for a refresh token."""

    def __init__(self) -> None:
        detail = "The grant type must be password or refresh_token."
        super().__init__("unsupported_grant_type", detail)


class InvalidCredentialsError(OAuthError):
    """The user is unknown or deactivated, or the password is wrong; which, is not told."""

    def __init__(self) -> None:
        super().__init__("invalid_grant", "The username or the password is wrong.")


class InvalidRefreshTokenError(OAuthError):
    """The refresh token is of no use, whatever the reason; it is not told."""

    def __init__(self) -> None:
        super().__init__("invalid_grant", "The refresh token is invalid, expired or revoked.")


class InvalidScopeError(OAuthError):
    """More is asked for than the user may have."""

    def __init__(self) -> None:
        super().__init__("invalid_scope", "The scope is unknown, or not for this user.")
