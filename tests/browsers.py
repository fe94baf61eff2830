"""A browser for the tests: the machine's own, or the one that playwright has installed."""

import shutil
from pathlib import Path

from playwright.sync_api import Browser, Playwright

from tests.services import need


def open_chromium(playwright: Playwright) -> Browser:
    """Start a Chromium, which whoever asked for it closes."""
    own = playwright.chromium.executable_path
    program = shutil.which("chromium") or shutil.which("google-chrome") or own
    need(Path(program).exists(), "needs Chromium: uv run playwright install chromium")
    return playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
