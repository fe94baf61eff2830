"""Which pages may join: a browser tells where a page comes from, and a page cannot lie about it."""

from urllib.parse import urlsplit

import structlog
from fastapi import WebSocket

from app.problems import ProblemError

logger = structlog.stdlib.get_logger(__name__)


async def check_origin(websocket: WebSocket) -> None:
    """Refuse pages of other sites, before the connection opens.

    What is no browser sends no origin, and may join: it has nobody's cookies to misuse.
    """
    origin = websocket.headers.get("Origin")
    if origin is None:
        return
    host = websocket.headers.get("Host", "")
    allowed: list[str] = websocket.app.state.settings.rooms_origins
    if urlsplit(origin.lower()).netloc != host.lower() and origin.lower() not in allowed:
        logger.info("origin_refused", origin=origin)
        raise ProblemError(403, "Pages of this origin may not join.")
