"""A periodic task: forget what nobody can use any more."""

# {% if jwt_auth %}
from sqlalchemy import delete

from app.auth.models import RefreshToken, TokenFamily
from app.database.base import utc_now
from app.database.session import open_session
# {% endif %}
from app.jobs.dependencies import (
    Broker,
    # {% if jwt_auth %}
    Engine,
    # {% endif %}
)


async def purge(
    broker: Broker,
    # {% if jwt_auth %}
    engine: Engine,
    # {% endif %}
) -> None:
    """Forget what is over, old jobs and workers first."""
    await broker.tidy()
    # {% if jwt_auth %}
    await purge_logins(engine)


async def purge_logins(engine: Engine) -> None:
    """Delete logins that are over, with their tokens, and tokens that nobody has used in time.

    A token that has been used stays as long as its login: if it turns up again, it is stolen.
    """
    now = utc_now()
    async with open_session(engine) as session, session.begin():
        await session.execute(delete(TokenFamily).where(TokenFamily.expires_at <= now))
        await session.execute(
            delete(RefreshToken).where(
                RefreshToken.expires_at <= now, RefreshToken.rotated_at.is_(None)
            )
        )
    # {% endif %}
