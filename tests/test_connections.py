"""On each platform, the database has room for all that its files may start, and for an administrator."""

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.projects import BIN, check
from tests.questions import REPOSITORY, preset
from tests.rendering import write
from tests.test_deploy_aws import load

SETTINGS = ("database_pool_size", "database_max_overflow", "workers")
POSTGRESQL = 100
"""What PostgreSQL allows unless it is told otherwise."""
HEROKU = {"heroku-postgresql:essential-0": 20}
GIBIBYTES = {"db.t4g.small": 2}
"""The memory of a class of RDS, which allows a connection for each 9,531,392 bytes that are left of it."""


@dataclass
class Kind:
    """The processes of one kind: each with its settings, and how many run when a release is rolled out."""

    command: list[str]
    settings: dict[str, str]
    number: int

    def connections(self, defaults: dict[str, int]) -> int:
        """Count what all of them may open."""
        if self.command[0] == "alembic":
            return self.number  # a migration is one connection
        module = self.command[self.command.index("-m") + 1]
        if module == "app.jobs.scheduler":  # it has no use for a database
            return 0
        pool, overflow, workers = (
            int(self.settings.get(name.upper(), defaults[name])) for name in SETTINGS
        )
        return self.number * (pool + overflow) * (workers if module == "app" else 1)


@pytest.fixture(scope="module")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(template, tmp_path_factory.mktemp("connections"), preset("full"))


@pytest.fixture(scope="module")
def defaults(project: Path) -> dict[str, int]:
    """The defaults of the settings, as the code has them."""
    files = ("app/environment.py", "app/database/settings.py")
    code = "\n".join((project / file).read_text("utf-8") for file in files)
    return {
        name: int(re.findall(rf"{name}: int = Field\(default=(\d+)", code)[0]) for name in SETTINGS
    }


def on_kubernetes(project: Path, overlay: str) -> tuple[list[Kind], int]:
    """Read an overlay; a Pod that is replaced ends while the new one serves already."""
    folder = f"deploy/kubernetes/overlays/{overlay}"
    objects: list[dict[str, Any]] = list(
        yaml.safe_load_all(check(BIN / "kubectl", "kustomize", folder, cwd=project))
    )
    [settings] = [each["data"] for each in objects if each["kind"] == "ConfigMap"]
    scaled = {
        each["spec"]["scaleTargetRef"]["name"]: each["spec"]["maxReplicas"]
        for each in objects
        if each["kind"] == "HorizontalPodAutoscaler"
    }
    kinds = []
    for each in objects:
        if each["kind"] in {"Deployment", "Job"}:
            [container] = each["spec"]["template"]["spec"]["containers"]
            own = {one["name"]: one.get("value", "") for one in container.get("env", [])}
            replicas = scaled.get(each["metadata"]["name"], each["spec"].get("replicas", 1))
            times = 1 if each["kind"] == "Job" else 2
            kinds.append(Kind(container["command"], settings | own, times * replicas))
    return kinds, POSTGRESQL


def on_compose(project: Path) -> tuple[list[Kind], int]:
    """Read compose.yaml, which replaces one container after the other has ended."""
    services = yaml.safe_load((project / "compose.yaml").read_text("utf-8"))["services"]
    kinds = [
        Kind(each.get("command", ["python", "-m", "app"]), each["environment"], 1)
        for name, each in services.items()
        if name not in {"postgres", "redis"}
    ]
    return kinds, POSTGRESQL


def on_heroku(project: Path) -> tuple[list[Kind], int]:
    """Read Procfile and app.json; dynos that are replaced end while the new ones start."""
    app = json.loads((project / "app.json").read_text("utf-8"))
    settings = {name: each["value"] for name, each in app["env"].items() if "value" in each}
    kinds = []
    for line in (project / "Procfile").read_text("utf-8").splitlines():
        name, _, command = line.partition(": ")
        words = shlex.split(command.removeprefix("exec env "))
        own = dict(word.split("=", 1) for word in words if "=" in word)
        number = 1 if name == "release" else 2 * app["formation"][name]["quantity"]
        program = [word for word in words if "=" not in word and word != "exec"]
        kinds.append(Kind(program, settings | own, number))
    [limit] = [HEROKU[each] for each in app["addons"] if each in HEROKU]
    return kinds, limit


def on_aws(project: Path) -> tuple[list[Kind], int]:
    """Read the CloudFormation template; a service may have twice its tasks in a deployment."""
    stack = load(project / "deploy" / "aws" / "service.yaml")
    parameters = {name: each.get("Default") for name, each in stack["Parameters"].items()}
    resources = stack["Resources"]
    kinds = []
    for name, each in resources.items():
        if each["Type"] != "AWS::ECS::TaskDefinition":
            continue
        container = each["Properties"]["ContainerDefinitions"][-1]
        own = {one["Name"]: one["Value"] for one in container["Environment"]}
        number = 1
        for service in resources.values():
            if service["Type"] == "AWS::ECS::Service" and service["Properties"][
                "TaskDefinition"
            ] == {"Ref": name}:
                tasks = service["Properties"].get("DesiredCount", parameters["MaximumTasks"])
                deployment = service["Properties"]["DeploymentConfiguration"]
                number = tasks * deployment["MaximumPercent"] // 100
        kinds.append(Kind(container["Command"], own, number))
    memory = GIBIBYTES[parameters["DatabaseClass"]] << 30
    # the system and RDS itself take up to a quarter of it
    return kinds, memory * 3 // 4 // 9_531_392


PLATFORMS: dict[str, Callable[[Path], tuple[list[Kind], int]]] = {
    "Kubernetes, overlay `dev`": lambda project: on_kubernetes(project, "dev"),
    "Kubernetes, overlay `production`": lambda project: on_kubernetes(project, "production"),
    "Compose": on_compose,
    "Heroku": on_heroku,
    "AWS": on_aws,
}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_connections_fit_into_the_database(
    project: Path, defaults: dict[str, int], platform: str
) -> None:
    kinds, limit = PLATFORMS[platform](project)
    programs = {shlex.join(kind.command) for kind in kinds}
    assert {"python -m app", "python -m app.jobs.worker", "alembic upgrade heads"} <= programs
    needed = sum(kind.connections(defaults) for kind in kinds)
    # superuser_reserved_connections is 3, and people look, too; a plan of 20 leaves less
    assert needed <= limit - min(10, limit // 10)
    text = (REPOSITORY / "docs" / "scaling.md").read_text("utf-8")
    assert re.search(
        rf"^\| {re.escape(platform)} \|.*\| {needed} \| {limit} \|$", text, re.MULTILINE
    )
