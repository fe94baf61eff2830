"""For whom a connection speaks: the access token comes as a subprotocol, `bearer, <token>`.

A browser cannot set another header, and an address would be logged.
"""

import asyncio
from typing import Annotated

import structlog
from fastapi import Depends, WebSocket
from sqlalchemy.exc import SQLAlchemyError

from app.auth.access_tokens import InvalidTokenError
from app.auth.service import identify
from app.database.session import open_session
from app.rooms.closing import CloseCode, ClosingError
from app.users.models import User

SUBPROTOCOL = "bearer"

logger = structlog.stdlib.get_logger(__name__)


class Login:
    """The access token of a connection, which is checked again and again while it lasts."""

    def __init__(self, websocket: WebSocket) -> None:
        offered: list[str] = websocket.scope["subprotocols"]
        self.subprotocol = SUBPROTOCOL if SUBPROTOCOL in offered else None
        self.token = offered[1] if offered[:1] == [SUBPROTOCOL] and len(offered) == 2 else ""
        self.state = websocket.app.state
        self.user: User | None = None

    async def check(self) -> None:
        """Find out anew whom the token speaks for."""
        self.user = await self.find_user()

    async def find_user(self) -> User | None:
        """Find the user of the token, if it is good at this time."""
        try:
            claims = self.state.access_tokens.verify(self.token)
        except InvalidTokenError:
            return None
        async with open_session(self.state.engine, read_only=True) as session:
            identified = await identify(session, claims)
        return identified[0] if identified else None

    def require_user(self) -> User:
        """Give the user.

        Raises:
            UnauthenticatedError: there is none.
        """
        if self.user is None:
            raise UnauthenticatedError
        return self.user

    async def watch(self) -> None:
        """Notice when the token expires, or its login ends.

        Raises:
            UnauthenticatedError: when it does.
        """
        while self.require_user():
            await asyncio.sleep(self.state.settings.rooms_token_check_seconds)
            try:
                await self.check()
            except SQLAlchemyError as error:
                logger.warning("token_not_checked", error=repr(error))


class UnauthenticatedError(ClosingError):
    """There is no token, or it is of no use; which, is not told."""

    def __init__(self) -> None:
        super().__init__(CloseCode.UNAUTHENTICATED, "Log in.")


async def get_login(websocket: WebSocket) -> Login:
    """Check the token before the connection opens, and keep no connection to the database."""
    login = Login(websocket)
    await login.check()
    return login


CurrentLogin = Annotated[Login, Depends(get_login)]
