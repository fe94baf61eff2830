"""One form for all log lines, whoever writes them: JSON when deployed, readable in local."""

import logging
import logging.config
import sys
from functools import lru_cache
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from app.environment import Environment, ServiceSettings
# {% if telemetry %}
from app.telemetry.logs import add_trace_ids
# {% endif %}

SECRET_WORDS = ("authorization", "cookie", "password", "secret", "token", "api_key")


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Blank every value whose name says that it is secret."""
    for name in event:
        if is_secret(name):
            event[name] = "[hidden]"
    return event


@lru_cache
def is_secret(name: str) -> bool:
    """Whether the name of a value says that it is secret."""
    return any(word in name.lower() for word in SECRET_WORDS)


SHARED_PROCESSORS: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    # {% if telemetry %}
    add_trace_ids,
    # {% endif %}
    hide_secrets,
]


def configure_logging(settings: ServiceSettings) -> None:
    """Send all log lines, structlog's and the standard library's, to standard output."""
    logging.config.dictConfig(logging_config(settings))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED_PROCESSORS,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def logging_config(settings: ServiceSettings) -> dict[str, Any]:
    """Describe the same for `logging.config.dictConfig`, which servers take as well."""
    style = "console" if settings.environment is Environment.LOCAL else "json"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "console": {"()": "app.logs.console_formatter"},
            "json": {"()": "app.logs.json_formatter"},
        },
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "formatter": style,
            },
        },
        "root": {"handlers": ["stdout"], "level": settings.log_level},
        "loggers": {
            # Servers come with handlers of their own, and uvicorn's access log has query strings.
            "_granian": {"handlers": [], "propagate": True},
            "uvicorn": {"handlers": [], "propagate": True},
            "uvicorn.access": {"handlers": [], "propagate": False},
        },
    }


def console_formatter() -> logging.Formatter:
    """Write lines for people, in colour on a terminal."""
    renderer = structlog.dev.ConsoleRenderer(
        colors=sys.stdout.isatty(),
        # The default shows the values of local variables, secrets among them.
        exception_formatter=structlog.dev.plain_traceback,
    )
    return formatter(renderer)


def json_formatter() -> logging.Formatter:
    """Write one JSON object a line."""
    return formatter(
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    )


def formatter(*renderers: Processor) -> logging.Formatter:
    """Bring foreign records into the form of our own, then render both."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=SHARED_PROCESSORS,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
    )
