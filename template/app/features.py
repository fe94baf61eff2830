"""What was chosen for this service, one block a feature.

This file belongs to the template: `copier update` writes it anew when a feature is switched on or
off. Your own routers go into main.py, which it leaves alone.
"""

from contextlib import AsyncExitStack

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from app import (
    API_PREFIX,
    # {% if cors %}
    cors,
    # {% endif %}
)
from app.settings import Settings


def feature_middleware(settings: Settings) -> list[Middleware]:
    """List the middleware of the features."""
    return [
        # The first in the list sees a request first.
        # {% if cors %}
        cors.middleware(settings),
        # {% endif %}
    ]


def include_features(app: FastAPI, settings: Settings) -> None:
    """Serve the routers of the features, below the prefix of the API."""
    api = APIRouter(prefix=API_PREFIX)
    app.include_router(api)


async def open_features(app: FastAPI, settings: Settings, stack: AsyncExitStack) -> None:
    """Open what the features need while the service runs; the stack closes it in reverse."""
