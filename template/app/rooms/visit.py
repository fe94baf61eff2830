"""One visit of a client to a room, from its admission to the reason of its end."""

from functools import partial
# {% if not jwt_auth %}
from uuid import uuid4
# {% endif %}

import structlog
from fastapi import WebSocketDisconnect

from app.concurrency import together
from app.rooms.closing import CloseCode, ClosingError
from app.rooms.connection import Connection
from app.rooms.hub import Hub
# {% if jwt_auth %}
from app.rooms.login import Login
# {% endif %}
from app.rooms.schemas import Member

logger = structlog.stdlib.get_logger(__name__)


async def visit(
    connection: Connection,
    hub: Hub,
    room: str,
    name: str,
    # {% if jwt_auth %}
    login: Login,
    # {% endif %}
) -> int:
    """Talk in the room until either side ends the connection, and return the close code."""
    end: ClosingError | WebSocketDisconnect
    end = ClosingError(CloseCode.INTERNAL_ERROR, "The service failed.")
    with hub.presence(connection):
        try:
            # {% if not jwt_auth %}
            member = Member(id=uuid4(), name=name)
            # {% else %}
            member = Member(id=login.require_user().id, name=name)
            # {% endif %}
            with hub.admission():
                async with hub.membership(room, member, connection):
                    await together(
                        # {% if jwt_auth %}
                        login.watch(),
                        # {% endif %}
                        connection.write(),
                        connection.notice_silence(),
                        connection.wait_for_end(),
                        connection.listen(partial(hub.say, room, member)),
                    )
        except (ClosingError, WebSocketDisconnect) as reason:
            end = reason
        except Exception:
            logger.exception("unexpected_error")
        if isinstance(end, ClosingError):
            await connection.close(end)
    return end.code
