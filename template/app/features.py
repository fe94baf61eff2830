"""What was chosen for this service, one block a feature.

This file belongs to the template: `make update` rewrites it when a feature is enabled or disabled.
Your own routers go into main.py, which it leaves alone.
"""

from contextlib import AsyncExitStack
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware

# {% if jwt_auth %}
from app.auth import router as auth
from app.auth.dependencies import add_auth
# {% endif %}
# {% if caching %}
from app.cache.answers import open_cache
from app.cache.dependencies import add_cache, cached
from app.cache.middleware import CachedAnswers
# {% endif %}
# {% if cors %}
from app.cors import cors_middleware
# {% endif %}
# {% if database != 'none' %}
from app.database.engine import open_engine
from app.database.problems import add_database_problems
from app.items import router as items
# {% endif %}
# {% if background_tasks %}
from app.jobs import router as jobs
from app.jobs.running import open_jobs
# {% endif %}
# {% if rate_limiting and jwt_auth %}
from app.limits.logins import limit_logins
# {% endif %}
# {% if rate_limiting %}
from app.limits.middleware import add_limits, limits_middleware, share_limits
# {% endif %}
# {% if redis %}
from app.redis import open_redis
# {% endif %}
# {% if caching or rate_limiting %}
from app.redis_watch import open_redis_watch
# {% endif %}
# {% if websockets %}
from app.rooms import router as rooms
from app.rooms.hub import open_rooms
# {% endif %}
from app.settings import Settings
# {% if telemetry and database != 'none' %}
from app.telemetry.database import observe_database
# {% endif %}
# {% if telemetry %}
from app.telemetry.metrics import add_metrics
from app.telemetry.tracing import add_tracing, open_tracing, tracing_options
# {% endif %}
# {% if jwt_auth %}
from app.users import router as users
# {% endif %}


def feature_options(settings: Settings) -> dict[str, Any]:
    """Give the arguments of FastAPI that the features add."""
    return {
        # Arguments that main.py gives itself cannot stand here.
        # {% if telemetry %}
        **tracing_options(settings),
        # {% endif %}
    }


def feature_middleware(settings: Settings) -> list[Middleware]:
    """List the middleware of the features."""
    return [
        # The first in the list sees a request first.
        # {% if cors %}
        cors_middleware(settings),
        # {% endif %}
        # {% if rate_limiting %}
        limits_middleware(settings),
        # {% endif %}
        # {% if caching %}
        Middleware(CachedAnswers),
        # {% endif %}
    ]


def include_features(app: FastAPI, settings: Settings) -> None:
    """Serve the routers of the features."""
    # {% if database != 'none' %}
    add_database_problems(app)
    # {% endif %}
    # {% if caching %}
    add_cache(app)
    # {% endif %}
    # {% if database != 'none' %}
    app.include_router(
        items.router,
        # {% if caching %}
        dependencies=[cached("items")],
        # {% endif %}
    )
    # {% endif %}
    # {% if jwt_auth %}
    add_auth(app, settings)
    app.include_router(
        auth.router,
        # {% if rate_limiting %}
        dependencies=[limit_logins],
        # {% endif %}
    )
    app.include_router(users.router)
    # {% endif %}
    # {% if rate_limiting %}
    add_limits(app, settings)
    # {% endif %}
    # {% if background_tasks %}
    app.include_router(jobs.router)
    # {% endif %}
    # {% if websockets %}
    rooms.add_rooms(app, settings)
    app.include_router(rooms.router)
    # {% endif %}
    # {% if telemetry %}
    add_metrics(app, settings)
    add_tracing(app)
    # {% endif %}


async def open_features(app: FastAPI, settings: Settings, stack: AsyncExitStack) -> None:
    """Open what the features need while the service runs; the stack closes it in reverse."""
    # {% if telemetry %}
    await stack.enter_async_context(open_tracing(app, settings))
    # {% endif %}
    # {% if database != 'none' %}
    await stack.enter_async_context(open_engine(app, settings))
    # {% endif %}
    # {% if telemetry and database != 'none' %}
    observe_database(app, settings)
    # {% endif %}
    # {% if redis %}
    await stack.enter_async_context(open_redis(app, settings))
    # {% endif %}
    # {% if caching or rate_limiting %}
    await stack.enter_async_context(open_redis_watch(app, settings))
    # {% endif %}
    # {% if rate_limiting %}
    share_limits(app, settings)
    # {% endif %}
    # {% if caching %}
    await stack.enter_async_context(open_cache(app, settings))
    # {% endif %}
    # {% if background_tasks %}
    await stack.enter_async_context(open_jobs(app, settings))
    # {% endif %}
    # {% if websockets %}
    await stack.enter_async_context(open_rooms(app, settings))
    # {% endif %}
