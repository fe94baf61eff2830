"""A folder for what workers measure, which outlives each of them.

The main process makes it. It must not import prometheus_client, which looks for the folder once,
when it is imported.
"""

import os
from tempfile import TemporaryDirectory
from typing import Any

from granian.server.common import AbstractServer

from app.telemetry.settings import TelemetrySettings

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def share_metrics(server: AbstractServer[Any], settings: TelemetrySettings) -> None:
    """Let the workers that the server will start keep their metrics in one place."""
    if settings.workers > 1 and settings.metrics_enabled:
        folder = TemporaryDirectory(prefix="metrics-")
        os.environ[FOLDER_VARIABLE] = folder.name
        server.on_shutdown(folder.cleanup)
