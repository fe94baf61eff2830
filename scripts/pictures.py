"""Take the README's pictures anew, of a real project: a session in a terminal, and the docs page.

Usage: python scripts/pictures.py
It shows the last commit, needs Chromium, and writes docs/images/terminal.svg and docs/images/openapi.png.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from time import monotonic, sleep

import httpx2
from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

REPOSITORY = Path(__file__).resolve().parent.parent
IMAGES = REPOSITORY / "docs" / "images"
WIDTH = 112
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
URL = "http://127.0.0.1:8000"


def main() -> None:
    """Write a project, show it to both cameras, and keep the pictures."""
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clone = ["git", "clone", "--quiet", str(REPOSITORY), str(folder / "groundwork")]
        subprocess.run(clone, check=True)
        project = folder / "my-service"

        show(console, "copier copy --defaults groundwork my-service", folder, last=7)
        show(console, "cd my-service && git init --quiet && git add .", folder)
        show(console, "git commit --quiet -m 'Start from Groundwork'", project)
        with running(console, project):
            show(console, f"curl --silent {URL.removeprefix('http://')}/readyz", project)
            create = f"curl --silent {URL.removeprefix('http://')}/api/v1/items --json '{{}}'"
            show(console, create, project)
            photograph(IMAGES / "openapi.png")
        show(console, "git add . && git commit --quiet -m 'Lock the dependencies'", project)
        show(console, "make update websockets=true", project, last=12)

    svg = console.export_svg(title="my-service", theme=SVG_EXPORT_THEME, unique_id="terminal")
    # a page that shows it loads no font from elsewhere
    start, end = svg.index("    @font-face"), svg.index("    .terminal-matrix")
    svg = (svg[:start] + svg[end:]).replace("Fira Code, monospace", "monospace")
    (IMAGES / "terminal.svg").write_text(svg, "utf-8")


def show(console: Console, command: str, folder: Path, last: int | None = None) -> None:
    """Run a command, and show it with the `last` lines that it prints, or all."""
    prompt(console, command)
    result = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**ENVIRONMENT, "MAKEFLAGS": "--silent"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode:
        sys.exit(f"{command}: exit {result.returncode}\n{result.stdout}")
    lines = result.stdout.strip().splitlines()
    if last and len(lines) > last:
        lines = ["...", *lines[-last:]]
    for line in lines:
        console.print(Text(line), style="dim" if line == "..." else None)


def prompt(console: Console, command: str) -> None:
    """Show a command as a shell does."""
    console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))


@contextmanager
def running(console: Console, project: Path) -> Iterator[None]:
    """Start the project's service, show what it says, and stop it."""
    prompt(console, "make run &")
    log = project.parent / "log"
    with log.open("w", encoding="utf-8") as output:
        service = subprocess.Popen(
            ["make", "--silent", "run"],
            cwd=project,
            env=ENVIRONMENT,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for_answer()
        for line in log.read_text("utf-8").splitlines():
            # uv lists each package that it has installed
            if not line.startswith(" + "):
                console.print(Text.from_ansi(line))
        yield
    finally:
        os.killpg(service.pid, 15)
        service.wait(30)


def wait_for_answer() -> None:
    """Wait until the service answers.

    Raises:
        TimeoutError: it has not for two minutes.
    """
    deadline = monotonic() + 120
    while monotonic() < deadline:
        try:
            if httpx2.get(f"{URL}/readyz").is_success:
                return
        except httpx2.TransportError:
            sleep(0.5)
    message = f"Nothing answers at {URL}."
    raise TimeoutError(message)


def photograph(path: Path) -> None:
    """Photograph the docs page."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1000, "height": 760})
        page.goto(f"{URL}/docs")
        page.get_by_text("/api/v1/items").first.wait_for()
        page.screenshot(path=path)
        browser.close()


if __name__ == "__main__":
    main()
