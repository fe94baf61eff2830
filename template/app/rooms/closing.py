"""Why a connection ends: the close codes of RFC 6455, section 7.4, and some of our own."""

from enum import IntEnum


class CloseCode(IntEnum):
    """What the service ends a connection with; 44xx stands for HTTP's 4xx."""

    UNSUPPORTED_DATA = 1003
    INVALID_DATA = 1007
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    # {% if jwt_auth %}
    UNAUTHENTICATED = 4401
    # {% endif %}
    TIMEOUT = 4408


class ClosingError(Exception):
    """The service ends the connection."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
