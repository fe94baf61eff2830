"""Measure the image: its size beside its base, builds, and its start beside an empty container.

On a machine that reaches no registry the base is a stand-in, larger than python:slim; what the
service adds to it is the same.
Usage: python benchmarks/container.py
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex

import httpx2

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.docker_engine import STAND_INS, Docker, docker_engine
from tests.projects import clone_template, generate

RUN = (
    *("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"),  # noqa: S108  inside the container
    *("--env", "ALLOWED_HOSTS=127.0.0.1", "--env", f"AUTH_SECRETS={token_hex(32)}"),
)


def seconds(action: Callable[[], object]) -> float:
    """Time an action."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def megabytes(docker: Docker, image: str) -> float:
    """Tell how large an image is, unpacked."""
    return int(docker.check("image", "inspect", "--format", "{{ .Size }}", image)) / 1e6


def call_until_it_answers(address: str) -> None:
    """Poll /livez."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            httpx2.get(f"http://{address}/livez", timeout=1)
        except httpx2.TransportError:
            time.sleep(0.01)
        else:
            return
    raise TimeoutError(address)


def measure(docker: Docker, project: Path, image: str) -> None:
    """Build, start and stop the service, and print what each took."""

    def build(*options: str) -> None:
        docker.check("build", "--quiet", *options, "--tag", image, project)

    def start() -> str:
        options = ("--publish", "127.0.0.1::8000")
        container = docker.check("run", "--detach", *options, *RUN, image)
        call_until_it_answers(docker.check("port", container, "8000"))
        return container

    print(f"build, no layer cached    {seconds(lambda: build('--no-cache')):6.1f} s")
    main = project / "app" / "main.py"
    main.write_text(main.read_text("utf-8") + "# changed\n", "utf-8")
    print(f"build, code has changed   {seconds(build):6.1f} s")

    base, whole = megabytes(docker, STAND_INS["python"]), megabytes(docker, image)
    print(f"size                      {whole:6.0f} MB, {whole - base:.0f} above its base")

    empty = seconds(lambda: docker.check("run", "--rm", *RUN, image, "true"))
    print(f"an empty container        {empty:6.2f} s")
    containers: list[str] = []
    try:
        for _ in range(3):
            took = seconds(lambda: containers.append(start()))
            print(f"start to first answer     {took:6.2f} s")
        memory = docker.check("stats", "--no-stream", "--format", "{{ .MemUsage }}", containers[0])
        print(f"memory of one             {memory.split(' / ')[0]}")
        took = seconds(lambda: docker.check("stop", containers[0]))
        print(f"stop                      {took:6.2f} s")
    finally:
        docker.run("rm", "--force", "--volumes", *containers)
        docker.run("image", "rm", "--force", image)


def main() -> None:
    """Measure a service with everything that needs no other container."""
    image = f"groundwork-{token_hex(4)}"
    with tempfile.TemporaryDirectory() as folder, docker_engine() as docker:
        template = clone_template(Path(folder, "template"))
        answers = {"database": "sqlite", "jwt_auth": True, "python_version": "3.14"}
        project = generate("copier", template, Path(folder), {**answers, "project_slug": image})
        measure(docker, project, image)


if __name__ == "__main__":
    main()
