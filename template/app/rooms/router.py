"""Talk in rooms over WebSockets: messages are in schemas.py, close codes in closing.py."""

from time import perf_counter
from typing import Annotated
from uuid import uuid4

import structlog
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from fastapi.exceptions import WebSocketRequestValidationError

from app import API_PREFIX
from app.problems import handle_invalid_request
from app.rooms.connection import Connection
from app.rooms.demo import add_demo
from app.rooms.hub import Hub
# {% if jwt_auth %}
from app.rooms.login import CurrentLogin
# {% endif %}
from app.rooms.origins import check_origin
from app.rooms.schemas import Name, RoomName
from app.rooms.settings import RoomsSettings
from app.rooms.visit import visit

logger = structlog.stdlib.get_logger(__name__)
router = APIRouter(prefix=f"{API_PREFIX}/rooms")


def add_rooms(app: FastAPI, settings: RoomsSettings) -> None:
    """Refuse what is not valid with a problem, and serve the demo beside the documentation."""
    app.exception_handler(WebSocketRequestValidationError)(handle_invalid_request)
    if settings.docs_enabled:
        add_demo(app)


def get_hub(websocket: WebSocket) -> Hub:
    """Find the rooms of the service that the connection came to."""
    hub: Hub = websocket.app.state.hub
    return hub


CurrentHub = Annotated[Hub, Depends(get_hub)]


@router.websocket("/{room}", dependencies=[Depends(check_origin)])
async def join_room(
    websocket: WebSocket,
    room: RoomName,
    name: Name,
    hub: CurrentHub,
    # {% if jwt_auth %}
    login: CurrentLogin,
    # {% endif %}
) -> None:
    """Join a room, and talk until either side ends the connection."""
    started = perf_counter()
    connection = Connection(websocket, websocket.app.state.settings)
    with structlog.contextvars.bound_contextvars(request_id=uuid4().hex):
        # {% if not jwt_auth %}
        subprotocol = None
        # {% else %}
        subprotocol = login.subprotocol
        # {% endif %}
        await websocket.accept(subprotocol)
        code = await visit(
            connection,
            hub,
            room,
            name,
            # {% if jwt_auth %}
            login,
            # {% endif %}
        )
        duration = round((perf_counter() - started) * 1000, 2)
        logger.info("websocket", room=room, code=int(code), duration_ms=duration)
