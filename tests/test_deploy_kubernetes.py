"""The manifests for Kubernetes are what a cluster accepts, fit together, and fit the service."""

import json
import os
import re
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import kubernetes_validate
import pytest
import yaml

from tests.platforms import (
    EVERYTHING,
    LONGEST_SLUG,
    NO_DATABASE,
    Projects,
    expect_refusal,
    has_module,
    install_everything,
    projects_on_demand,
)
from tests.policies import findings, scan
from tests.projects import BIN, check, run
from tests.questions import REPOSITORY, Answers
from tests.services import REDIS, booted, database_for, need_postgresql, need_redis

Object = dict[str, Any]
Environment = dict[str, str]

OVERLAYS = ("dev", "production")
COMBINATIONS: dict[str, Answers] = {
    "everything": EVERYTHING,
    "default": {},
    "longest-name": {**EVERYTHING, "project_slug": LONGEST_SLUG},
    "no-redis": {"rate_limiting": False},
    "no-database": {**NO_DATABASE, "background_tasks": True},
    "nothing": {**NO_DATABASE, "rate_limiting": False, "cors": False, "telemetry": False},
}
ALWAYS = {
    *("Namespace/", "ServiceAccount/app", "ConfigMap/app"),
    *("Deployment/web", "Service/web", "HorizontalPodAutoscaler/web", "PodDisruptionBudget/web"),
    *("NetworkPolicy/default-deny", "NetworkPolicy/names", "NetworkPolicy/requests"),
}
WORKERS = {"Deployment/worker", "PodDisruptionBudget/worker", "Deployment/scheduler"}
MIGRATION = {"Job/migrate"}
TELEMETRY = {"NetworkPolicy/metrics", "NetworkPolicy/traces"}


def store(name: str) -> set[str]:
    """What keeps data inside of the cluster, and the two openings in the network for it."""
    policies = {f"NetworkPolicy/{name}", f"NetworkPolicy/to-{name}"}
    return {f"StatefulSet/{name}", f"Service/{name}", *policies}


IN_BASE: dict[str, set[str]] = {
    "everything": MIGRATION | WORKERS | TELEMETRY,
    "default": MIGRATION | TELEMETRY,
    "longest-name": MIGRATION | WORKERS | TELEMETRY,
    "no-redis": MIGRATION | TELEMETRY,
    "no-database": WORKERS | TELEMETRY,
    "nothing": set(),
}
IN_DEV: dict[str, set[str]] = {
    "everything": store("postgresql") | store("redis"),
    "default": store("postgresql") | store("redis"),
    "longest-name": store("postgresql") | store("redis"),
    "no-redis": store("postgresql"),
    "no-database": store("redis"),
    "nothing": set(),
}
FAKE_KUBECTL = """#!/bin/sh
echo "$*" >> "$KUBECTL_LOG"
case " $* " in
*" kustomize "*) exec "$REAL_KUBECTL" "$@" ;;
*" create secret "*) exec "$REAL_KUBECTL" "$@" --dry-run=client --output=json ;;
*" wait --for condition=Complete "*) exit "${MIGRATION_STATUS:-0}" ;;
esac
"""


@pytest.fixture(scope="session")
def projects(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Projects:
    """Give the project of a combination, which is written when a test first asks for it."""
    return projects_on_demand("kubernetes", COMBINATIONS, template, tmp_path_factory)


@pytest.fixture(params=COMBINATIONS)
def combination(request: pytest.FixtureRequest) -> str:
    """Name each of the combinations in turn."""
    name: str = request.param
    return name


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    """Name each of the overlays in turn."""
    name: str = request.param
    return name


@pytest.fixture
def objects(projects: Projects, combination: str, overlay: str) -> list[Object]:
    """Give all objects of an overlay, as the cluster gets them."""
    return list(yaml.safe_load_all(kustomize(projects(combination), overlay)))


@cache
def kustomize(project: Path, overlay: str) -> str:
    """Build an overlay."""
    folder = project / "deploy" / "kubernetes" / "overlays" / overlay
    return check(BIN / "kubectl", "kustomize", folder, cwd=project)


def of_kind(objects: list[Object], *kinds: str) -> list[Object]:
    """Pick the objects of these kinds."""
    return [each for each in objects if each["kind"] in kinds]


def the_one(objects: list[Object], kind: str, name: str) -> Object:
    """Pick an object by its name, for which a hash at its end does not count."""
    found = [each for each in of_kind(objects, kind) if name_of(each) == f"{kind}/{name}"]
    assert len(found) == 1, f"{kind}/{name}"
    return found[0]


def name_of(each: Object) -> str:
    """Name an object by kind and name, without the name of the project and without a hash."""
    name = "" if each["kind"] == "Namespace" else each["metadata"]["name"]
    if each["kind"] == "ConfigMap":
        name = re.sub(r"-[a-z0-9]{10}$", "", name)
    return f"{each['kind']}/{name}"


def component_of(each: Object) -> str | None:
    """Tell the part of the service that an object belongs to, if any."""
    component: str | None = each["metadata"].get("labels", {}).get("app.kubernetes.io/component")
    return component


def pods(objects: list[Object]) -> dict[str, Object]:
    """Give the template of each Pod, by what makes it."""
    makers = of_kind(objects, "Deployment", "StatefulSet", "Job")
    return {name_of(each): each["spec"]["template"] for each in makers}


def containers(pod: Object) -> list[Object]:
    """List the containers of a Pod."""
    return [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]


def selected(objects: list[Object], labels: dict[str, str]) -> set[str]:
    """Name the makers of the Pods that a selector picks."""
    return {
        name
        for name, pod in pods(objects).items()
        if labels.items() <= pod["metadata"]["labels"].items()
    }


def ports_of(pod: Object) -> dict[str, int]:
    """Map the names of a Pod's ports to their numbers."""
    ports = [port for container in containers(pod) for port in container.get("ports", [])]
    return {port["name"]: port["containerPort"] for port in ports}


def test_every_object_follows_the_schema(objects: list[Object]) -> None:
    for each in objects:
        kubernetes_validate.validate(each, "1.37", strict=True)


def test_the_schema_would_tell(objects: list[Object]) -> None:
    web = the_one(objects, "Deployment", "web")
    web["spec"]["template"]["spec"]["terminationGrace"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(web, "1.37", strict=True)


def test_there_is_what_the_options_need_and_nothing_else(
    objects: list[Object], combination: str, overlay: str
) -> None:
    expected = ALWAYS | IN_BASE[combination]
    if overlay == "dev":
        expected |= IN_DEV[combination]
    else:
        expected |= {"Ingress/web"}
        if combination != "nothing":
            expected |= {"NetworkPolicy/stores"}
    names = [name_of(each) for each in objects]
    assert sorted(names) == sorted(expected)


def test_what_is_off_is_not_mentioned(projects: Projects, overlay: str) -> None:
    for combination, words in {
        "nothing": r"postgres|database|redis|migrat|worker\b|scheduler|job|5432|6379|websocket|otel"
        r"|collector|monitoring|4318",
        "no-redis": r"redis|6379",
        "no-database": r"postgres|database|migrat|5432",
    }.items():
        for file in (projects(combination) / "deploy").rglob("*.yaml"):
            assert not re.search(words, file.read_text("utf-8"), re.IGNORECASE), file
        assert not re.search(words, kustomize(projects(combination), overlay), re.IGNORECASE)


def test_names_fit_into_the_dns(objects: list[Object]) -> None:
    assert len(LONGEST_SLUG) == 50
    for each in objects:
        name, labels = each["metadata"]["name"], each["metadata"].get("labels", {})
        # a Job's Pods and a StatefulSet's revisions have a label of the name and a hash
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)
        limit = 52 if each["kind"] in {"Job", "StatefulSet", "Deployment"} else 63
        assert len(name) <= limit, name
        assert all(len(value) <= 63 for value in labels.values())


def test_everything_is_in_the_namespace_which_restricts_its_pods(
    objects: list[Object], combination: str, overlay: str
) -> None:
    slug = LONGEST_SLUG if combination == "longest-name" else "sample-service"
    [namespace] = of_kind(objects, "Namespace")
    assert namespace["metadata"]["name"] == slug + ("-dev" if overlay == "dev" else "")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert objects[0] is namespace
    for each in objects[1:]:
        assert each["metadata"]["namespace"] == namespace["metadata"]["name"]


def test_pods_are_restricted(objects: list[Object]) -> None:
    for name, pod in pods(objects).items():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        assert all({"emptyDir", "name"} == set(volume) for volume in spec.get("volumes", []))
        for container in containers(pod):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}
            assert set(container["resources"]["limits"]) == {"cpu", "memory"}
        if not name.startswith("StatefulSet"):
            assert spec["securityContext"]["runAsUser"] == 10001


def test_services_and_budgets_select_the_pods_that_they_are_named_after(
    objects: list[Object],
) -> None:
    for service in of_kind(objects, "Service"):
        [name] = selected(objects, service["spec"]["selector"])
        assert name.split("/")[1] == service["metadata"]["name"]
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in ports_of(pods(objects)[name])
            assert port["protocol"] == "TCP"
    for budget in of_kind(objects, "PodDisruptionBudget"):
        name = budget["metadata"]["name"]
        assert selected(objects, budget["spec"]["selector"]["matchLabels"]) == {
            f"Deployment/{name}"
        }
    for maker in of_kind(objects, "Deployment", "StatefulSet"):
        labels = maker["spec"]["selector"]["matchLabels"]
        assert selected(objects, labels) == {name_of(maker)}


def test_the_autoscaler_alone_sets_the_number_of_replicas(objects: list[Object]) -> None:
    scaler = the_one(objects, "HorizontalPodAutoscaler", "web")["spec"]
    target = scaler["scaleTargetRef"]
    deployment = the_one(objects, target["kind"], target["name"])
    assert "replicas" not in deployment["spec"]
    assert scaler["minReplicas"] < scaler["maxReplicas"]


def test_the_ingress_leads_to_the_service_under_a_name_that_it_answers_to(
    objects: list[Object], overlay: str
) -> None:
    if overlay == "dev":
        assert not of_kind(objects, "Ingress")
        return
    ingress = the_one(objects, "Ingress", "web")["spec"]
    [rule] = ingress["rules"]
    [path] = rule["http"]["paths"]
    service = the_one(objects, "Service", path["backend"]["service"]["name"])
    ports = {port["name"] for port in service["spec"]["ports"]}
    assert path["backend"]["service"]["port"]["name"] in ports
    assert ingress["tls"][0]["hosts"] == [rule["host"]]
    hosts = the_one(objects, "ConfigMap", "app")["data"]["ALLOWED_HOSTS"].split(",")
    assert rule["host"] in hosts


def test_the_network_is_closed_save_for_what_is_needed(objects: list[Object], overlay: str) -> None:
    policies = {
        each["metadata"]["name"]: each["spec"] for each in of_kind(objects, "NetworkPolicy")
    }
    closed = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert policies.pop("default-deny") == closed
    assert policies.pop("names")["podSelector"] == {}
    stores = {name for name in ("postgresql", "redis") if f"to-{name}" in policies}
    service = {name for name in pods(objects) if not name.startswith("StatefulSet")}
    for name, policy in policies.items():
        targets = selected(objects, policy["podSelector"]["matchLabels"])
        if name in {"requests", "metrics"}:
            assert targets == {"Deployment/web"}
        elif name in stores:
            assert targets == {f"StatefulSet/{name}"}
            [rule] = policy["ingress"]
            [peer] = rule["from"]
            assert selected(objects, peer["podSelector"]["matchLabels"]) == service
        else:
            assert targets == service
        for port in (port for rule in policy.get("ingress", []) for port in rule["ports"]):
            assert all(port["port"] in ports_of(pods(objects)[target]) for target in targets)
    if overlay == "production":
        outside = policies.get("stores", {"egress": []})["egress"]
        assert not stores
        assert all(rule["to"][0]["ipBlock"]["cidr"] == "10.0.0.0/8" for rule in outside)


def test_every_reference_leads_somewhere(objects: list[Object]) -> None:
    configuration = the_one(objects, "ConfigMap", "app")["metadata"]["name"]
    for name, pod in pods(objects).items():
        the_one(objects, "ServiceAccount", pod["spec"]["serviceAccountName"])
        for container in containers(pod):
            if not name.startswith("StatefulSet"):
                assert container["envFrom"] == [
                    {"configMapRef": {"name": configuration}},
                    {"secretRef": {"name": "app"}},
                ]
            mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
            volumes = {volume["name"] for volume in pod["spec"].get("volumes", [])}
            assert mounted - volumes <= {"data"}


def test_no_secret_is_in_git(objects: list[Object]) -> None:
    assert not of_kind(objects, "Secret")
    text = yaml.safe_dump_all(objects)
    assert not re.search(r"AUTH_SECRETS|DATABASE_URL|REDIS_URL|METRICS_TOKEN", text)


def test_a_pod_lives_long_enough_to_finish(objects: list[Object]) -> None:
    data = the_one(objects, "ConfigMap", "app")["data"]
    web = the_one(objects, "Deployment", "web")
    grace = web["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    work = int(data["DRAIN_SECONDS"]) + int(data["SHUTDOWN_TIMEOUT"])
    assert work < grace <= work + 10
    [container] = web["spec"]["template"]["spec"]["containers"]
    assert "lifecycle" not in container
    if "Deployment/worker" in pods(objects):
        grace = pods(objects)["Deployment/worker"]["spec"]["terminationGracePeriodSeconds"]
        assert int(data["SHUTDOWN_TIMEOUT"]) < grace
    # the endpoint is gone from the proxies before the server stops to accept
    readiness = container["readinessProbe"]
    until_unready = readiness["periodSeconds"] * readiness["failureThreshold"]
    assert until_unready < int(data["DRAIN_SECONDS"])


def test_ports_agree(objects: list[Object]) -> None:
    data = the_one(objects, "ConfigMap", "app")["data"]
    web = pods(objects)["Deployment/web"]
    assert ports_of(web) == {"http": int(data["PORT"])}
    [container] = containers(web)
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == "http"
    assert data["HOST"] == "0.0.0.0"  # noqa: S104  what a Pod is reached at


def test_exactly_one_scheduler_runs(objects: list[Object], combination: str) -> None:
    if "Deployment/scheduler" not in IN_BASE[combination]:
        assert "Deployment/scheduler" not in pods(objects)
        return
    scheduler = the_one(objects, "Deployment", "scheduler")["spec"]
    assert (scheduler["replicas"], scheduler["strategy"]) == (1, {"type": "Recreate"})


def test_the_commands_are_modules_of_the_project(
    projects: Projects, objects: list[Object], combination: str
) -> None:
    for name, pod in pods(objects).items():
        if name.startswith("StatefulSet"):
            continue
        [container] = containers(pod)
        match container["command"]:
            case ["python", "-m", module]:
                assert has_module(projects(combination), module), module
            case command:
                assert command == ["alembic", "upgrade", "heads"]


def test_each_overlay_names_its_image(objects: list[Object], overlay: str) -> None:
    images = {
        container["image"]
        for name, pod in pods(objects).items()
        if not name.startswith("StatefulSet")
        for container in containers(pod)
    }
    [image] = images
    assert image.endswith(":dev" if overlay == "dev" else ":0.1.0")
    assert image.startswith("registry.example.com/") == (overlay == "production")


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"kubernetes": True, "docker": False}, "kubernetes: It runs container images"),
        ({"kubernetes": True, "database": "sqlite"}, "cannot share a file"),
    ],
)
def test_what_cannot_work_is_refused(
    template: Path, tmp_path: Path, answers: Answers, sentence: str
) -> None:
    expect_refusal(template, tmp_path, answers, sentence)


@pytest.mark.slow
def test_the_policies_of_the_scanner_are_kept(projects: Projects, tmp_path: Path) -> None:
    # the other combinations are made of the same objects
    for combination in ("everything", "nothing"):
        for overlay in OVERLAYS:
            text = kustomize(projects(combination), overlay)
            (tmp_path / f"{combination}-{overlay}.yaml").write_text(text, "utf-8")
    report = scan(tmp_path, "kubernetes")
    assert report["summary"]["passed"] > 900
    assert findings(report) == []


# --- Commands, run with a kubectl that writes down what it is told ----------------------------


@contextmanager
def fake_kubectl(folder: Path) -> Iterator[tuple[Environment, Path]]:
    """Give an environment whose kubectl talks to no cluster, and the list of what it was told."""
    folder.mkdir()
    log = folder / "commands.txt"
    for name in ("kubectl", "docker", "kind"):
        program = folder / name
        program.write_text(FAKE_KUBECTL if name == "kubectl" else "#!/bin/sh\n", "utf-8")
        program.chmod(0o755)
    yield (
        {
            "PATH": f"{folder}:{os.environ['PATH']}",
            "KUBECTL_LOG": str(log),
            "REAL_KUBECTL": str(BIN / "kubectl"),
            "MAKEFLAGS": "",
        },
        log,
    )


def test_one_command_writes_it_all_into_one_file(
    projects: Projects, combination: str, overlay: str, tmp_path: Path
) -> None:
    project = projects(combination)
    with fake_kubectl(tmp_path / "bin") as (environment, _):
        check("make", "kubernetes", f"overlay={overlay}", cwd=project, **environment)
    assert (project / "kubernetes.yml").read_text("utf-8") == kustomize(project, overlay)


def test_a_rollout_migrates_first(
    projects: Projects, objects: list[Object], combination: str, overlay: str, tmp_path: Path
) -> None:
    with fake_kubectl(tmp_path / "bin") as (environment, log):
        check("make", "rollout", f"overlay={overlay}", cwd=projects(combination), **environment)
    namespace = of_kind(objects, "Namespace")[0]["metadata"]["name"]
    build, *commands = log.read_text("utf-8").splitlines()
    assert build.startswith("kustomize ")
    assert all(command.startswith(f"--namespace {namespace} ") for command in commands)
    words = [command.split()[2] for command in commands]
    if "Job/migrate" in IN_BASE[combination]:
        assert words == ["delete", "apply", "wait", "logs", "wait", "apply", "rollout"]
        [without] = re.findall(r"component(?: notin \(|!=)([a-z, ]+)", commands[1])
        first = [name_of(each) for each in objects if component_of(each) not in without.split(", ")]
        assert {"Namespace/", "ConfigMap/app", "ServiceAccount/app", "Job/migrate"} <= set(first)
        assert not {"Deployment/web", "Deployment/worker", "Deployment/scheduler"} & set(first)
        assert "NetworkPolicy/default-deny" in first
    else:
        assert words == ["apply", "rollout"]
    assert "--selector" not in commands[-2]


def test_a_failed_migration_stops_the_rollout(projects: Projects, tmp_path: Path) -> None:
    with fake_kubectl(tmp_path / "bin") as (environment, log):
        environment["MIGRATION_STATUS"] = "1"
        result = run("make", "rollout", cwd=projects("default"), **environment)
    assert result.returncode != 0
    assert "condition=Complete" in log.read_text("utf-8").splitlines()[-1]


def documented_commands(section: str) -> str:
    """Read the commands below a heading of the docs, for a project called `sample-service`."""
    text = (REPOSITORY / "docs" / "kubernetes.md").read_text("utf-8")
    [body] = re.findall(rf"(?ms)^## {section}\n(.*?)^## ", text)
    blocks = re.findall(r"(?s)```sh\n(.*?)```", body)
    assert blocks, section
    return "set -eu\n" + "\n".join(blocks).replace("my-service", "sample-service")


def documented_secrets(project: Path, overlay: str, folder: Path) -> dict[str, Environment]:
    """Follow the docs, and give the Secrets that they make."""
    section = {"dev": "In a cluster of your own", "production": "In production"}[overlay]
    with fake_kubectl(folder / f"bin-{overlay}") as (environment, log):
        printed = check("sh", "-c", documented_commands(section), cwd=project, **environment)
        assert "rollout status" in log.read_text("utf-8")
    secrets, decoder = {}, json.JSONDecoder()
    for match in re.finditer(r"(?m)^\{", printed):
        secret, _ = decoder.raw_decode(printed, match.start())
        values = {name: b64decode(text).decode() for name, text in secret["data"].items()}
        secrets[secret["metadata"]["name"]] = values
    return secrets


def test_the_documented_secrets_are_those_that_are_asked_for(
    projects: Projects, overlay: str, tmp_path: Path
) -> None:
    secrets = documented_secrets(projects("everything"), overlay, tmp_path)
    asked = set(
        re.findall(r"secretRef:\n +name: (\w+)", kustomize(projects("everything"), overlay))
    )
    asked |= {"postgresql"} if overlay == "dev" else set()
    assert set(secrets) == asked
    if overlay == "dev":
        password = secrets["postgresql"]["POSTGRES_PASSWORD"]
        assert len(password) >= 32
        url = urlsplit(secrets["app"]["DATABASE_URL"])
        assert (url.username, url.password, url.hostname, url.port) == (
            *("app", password, "postgresql", 5432),
        )
        assert urlsplit(secrets["app"]["REDIS_URL"]).hostname == "redis"


# --- The service, given what the manifests give it --------------------------------------------

SETTINGS = """
import json, os, sys
from app.settings import Settings, get_settings
answers = [sorted(name.upper() for name in Settings.model_fields)]
for environment in json.load(sys.stdin):
    os.environ.clear()
    os.environ.update(environment)
    get_settings.cache_clear()
    try:
        get_settings()
        answers.append("")
    except SystemExit as error:
        answers.append(str(error))
print(json.dumps(answers))
"""
"""Reads the settings from each of the given environments, and prints what is wrong with them."""


@pytest.fixture(scope="session")
def python(projects: Projects) -> Path:
    """Install what the service with everything on needs, which is enough for all of them."""
    return install_everything(projects)


def read_settings(
    python: Path, project: Path, environments: list[Environment]
) -> tuple[set[str], list[str]]:
    """Name all settings of a service, and say what it finds wrong with each environment."""
    printed = subprocess.run(
        [python, "-c", SETTINGS],
        cwd=project,
        env={},
        input=json.dumps(environments),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names, *faults = json.loads(printed)
    return set(names), faults


@pytest.mark.slow
def test_each_name_is_a_setting_and_none_is_missing(
    projects: Projects,
    objects: list[Object],
    combination: str,
    overlay: str,
    python: Path,
    tmp_path: Path,
) -> None:
    project = projects(combination)
    secret = documented_secrets(project, overlay, tmp_path)["app"]
    database = "Job/migrate" in IN_BASE[combination]
    if not database:
        del secret["DATABASE_URL"], secret["AUTH_SECRETS"]
    if "redis" not in (project / "pyproject.toml").read_text("utf-8"):
        del secret["REDIS_URL"]
    if combination == "nothing":
        del secret["METRICS_TOKEN"]
    environment = {**the_one(objects, "ConfigMap", "app")["data"], **secret}

    required = ["ALLOWED_HOSTS", *(["DATABASE_URL", "AUTH_SECRETS"] if database else [])]
    environments = [environment, *(without(environment, name) for name in required)]
    names, faults = read_settings(python, project, environments)
    assert set(environment) <= names
    assert faults.pop(0) == ""
    for name, fault in zip(required, faults, strict=True):
        assert f"{name}: is missing" in fault


def without(environment: Environment, name: str) -> Environment:
    """Leave one variable out."""
    return {key: value for key, value in environment.items() if key != name}


@pytest.mark.slow
@pytest.mark.usefixtures("python")
def test_each_probe_is_answered(projects: Projects, tmp_path: Path) -> None:
    need_postgresql()
    need_redis()
    project = projects("everything")
    objects = list(yaml.safe_load_all(kustomize(project, "production")))
    environment = {
        **the_one(objects, "ConfigMap", "app")["data"],
        **documented_secrets(project, "production", tmp_path)["app"],
        "HOST": "127.0.0.1",
        "REDIS_URL": REDIS,
        "DRAIN_SECONDS": "1",
    }
    del environment["PORT"]
    with (
        database_for(project, {"database": "postgresql"}) as database,
        booted(project, **{**environment, **database}) as service,
    ):
        [container] = containers(pods(objects)["Deployment/web"])
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            path = container[probe]["httpGet"]["path"]
            # the kubelet calls a Pod by its address, which is none of ALLOWED_HOSTS
            response = httpx2.get(f"{service.url}{path}", headers={"Host": "10.1.2.3:8000"})
            assert response.status_code == 200, probe
        bearer = {"Authorization": f"Bearer {environment['METRICS_TOKEN']}", "Host": "10.1.2.3"}
        metrics = httpx2.get(f"{service.url}/metrics", headers=bearer)
        assert "http_server_request_duration_seconds" in metrics.text
        assert service.stop() == 0
