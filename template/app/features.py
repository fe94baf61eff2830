"""What was chosen for this service, one block a feature.

This file belongs to the template: `copier update` writes it anew when a feature is switched on or
off. Your own routers go into main.py, which it leaves alone.
"""

from contextlib import AsyncExitStack

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from app import API_PREFIX
# {% if jwt_auth %}
from app.auth import router as auth
from app.auth.dependencies import add_auth
# {% endif %}
# {% if cors %}
from app.cors import cors_middleware
# {% endif %}
# {% if database != 'none' %}
from app.database.engine import open_engine
from app.database.problems import add_database_problems
from app.items import router as items
# {% endif %}
from app.settings import Settings
# {% if jwt_auth %}
from app.users import router as users
# {% endif %}


def feature_middleware(settings: Settings) -> list[Middleware]:
    """List the middleware of the features."""
    return [
        # The first in the list sees a request first.
        # {% if cors %}
        cors_middleware(settings),
        # {% endif %}
    ]


def include_features(app: FastAPI, settings: Settings) -> None:
    """Serve the routers of the features, below the prefix of the API."""
    api = APIRouter(prefix=API_PREFIX)
    # {% if database != 'none' %}
    add_database_problems(app)
    api.include_router(items.router)
    # {% endif %}
    # {% if jwt_auth %}
    add_auth(app, settings)
    api.include_router(auth.router)
    api.include_router(users.router)
    # {% endif %}
    app.include_router(api)


async def open_features(app: FastAPI, settings: Settings, stack: AsyncExitStack) -> None:
    """Open what the features need while the service runs; the stack closes it in reverse."""
    # {% if database != 'none' %}
    await stack.enter_async_context(open_engine(app, settings))
    # {% endif %}
