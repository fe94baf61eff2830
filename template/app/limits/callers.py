"""Who calls, as limits count it."""

# {% if jwt_auth %}
from starlette.datastructures import Headers
# {% endif %}
from starlette.types import Scope

# {% if jwt_auth %}
from app.auth.access_tokens import AccessTokens, InvalidTokenError
# {% endif %}
from app.limits.addresses import ClientAddresses


def caller_of(scope: Scope) -> str:
    # {% if jwt_auth %}
    """Name the user of the access token, or else the address.

    The token is verified, but nobody is asked whether it has been revoked since: whoever has had
    it may use up what its user is allowed, and no more.
    """
    # {% else %}
    """Name the address."""
    # {% endif %}
    state = scope.setdefault("state", {})
    if "caller" not in state:
        # {% if not jwt_auth %}
        state["caller"] = address_of(scope)
        # {% else %}
        state["caller"] = user_of(scope) or address_of(scope)
        # {% endif %}
    caller: str = state["caller"]
    return caller


def address_of(scope: Scope) -> str:
    """Name the address that the request comes from."""
    addresses: ClientAddresses = scope["app"].state.client_addresses
    return addresses.of(scope)
# {% if jwt_auth %}


def user_of(scope: Scope) -> str | None:
    """Name the user for whom the access token was made, if it is one of ours."""
    scheme, _, token = Headers(scope=scope).get("Authorization", "").partition(" ")
    access_tokens: AccessTokens = scope["app"].state.access_tokens
    if scheme.lower() != "bearer":
        return None
    try:
        return str(access_tokens.verify(token).sub)
    except InvalidTokenError:
        return None
# {% endif %}
