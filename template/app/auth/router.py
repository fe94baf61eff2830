"""Open an account, log in, stay logged in, log out."""

from typing import Annotated

from fastapi import APIRouter, Form, Response

from app import API_PREFIX
from app.auth.dependencies import CurrentPasswordHasher
from app.auth.schemas import RefreshRequest, RevocationRequest, TokenRequest, TokenResponse
from app.auth.service import log_out
from app.auth.token_endpoint import CurrentTokenEndpoint, require
from app.database.session import Session
from app.problems import problem_responses
from app.users.schemas import Registration
from app.users.service import register

router = APIRouter(prefix=f"{API_PREFIX}/auth", tags=["auth"], responses=problem_responses(503))


@router.post("/register", status_code=202, response_class=Response)
async def register_user(
    registration: Registration, session: Session, hasher: CurrentPasswordHasher
) -> Response:
    """Open an account, with which to log in.

    The answer is the same if the address has an account already, which then stays as it is.
    """
    password = registration.password.get_secret_value()
    await register(session, hasher, email=registration.email, password=password)
    return Response(status_code=202)


@router.post("/token", response_model_exclude_none=True, responses=problem_responses(400))
async def create_tokens(
    form: Annotated[TokenRequest, Form()], endpoint: CurrentTokenEndpoint
) -> TokenResponse:
    """Log in with an e-mail address and a password, or go on with a refresh token.

    This is the token endpoint of OAuth 2. A refusal has the members `error` and
    `error_description` of RFC 6749 beside those of a problem.
    """
    return await endpoint.exchange(form)


@router.post("/refresh", response_model_exclude_none=True, responses=problem_responses(400))
async def refresh_tokens(
    form: Annotated[RefreshRequest, Form()], endpoint: CurrentTokenEndpoint
) -> TokenResponse:
    """Exchange a refresh token for new tokens; it is then used up.

    Presenting a used token again ends the login, because somebody has stolen it.
    """
    return await endpoint.refresh(form)


@router.post("/logout", response_class=Response, responses=problem_responses(400))
async def revoke_token(form: Annotated[RevocationRequest, Form()], session: Session) -> Response:
    """End the login that a refresh token comes from, its access tokens included.

    This is the revocation endpoint of OAuth 2 (RFC 7009): a token that is of no use anyway is
    answered like any other.
    """
    await log_out(session, require("token", form.token.get_secret_value()))
    return Response()
