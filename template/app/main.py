"""The service. This file is yours: `make update` does not touch it when features change."""

from fastapi import FastAPI

from app.features import feature_options, include_features
from app.health import add_health
from app.lifespan import lifespan
from app.logs import configure_logging
from app.middleware import add_middleware
from app.openapi import OPENAPI_PATH, add_docs
from app.problems import add_problem_handlers
from app.project import PROJECT
from app.settings import Settings, get_settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the service from its settings, which are read from the environment by default."""
    settings = settings or get_settings()
    configure_logging(settings)
    options = feature_options(settings)
    app = FastAPI(
        title=PROJECT["title"],
        description=PROJECT["description"],
        version=PROJECT["version"],
        lifespan=lifespan,
        openapi_url=OPENAPI_PATH if settings.docs_enabled else None,
        docs_url=None,
        redoc_url=None,
        **options,
    )
    app.state.settings = settings
    app.state.options = options

    add_middleware(app, settings)
    add_problem_handlers(app)
    add_health(app)
    add_docs(app)
    # your own routers below

    include_features(app, settings)
    return app


app = create_app()
