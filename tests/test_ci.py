"""The files for the code host are valid for it, and give no more rights than they need."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.projects import BIN, check
from tests.questions import REPOSITORY, Answers
from tests.rendering import write
from tests.workflows import WORKFLOWS, Runner, load

SCHEMAS = {
    "github": {
        ".github/workflows/ci.yml": "vendor.github-workflows",
        ".github/workflows/template.yml": "vendor.github-workflows",
        ".github/dependabot.yml": "vendor.dependabot",
        ".pre-commit-config.yaml": None,
    },
    "gitlab": {
        ".gitlab-ci.yml": "vendor.gitlab-ci",
        "renovate.json": "vendor.renovate",
        ".pre-commit-config.yaml": None,
    },
}

SERVERS: dict[tuple[str, ...], Answers] = {
    ("postgres", "redis"): {},
    ("postgres",): {"rate_limiting": False},
    ("redis",): {"database": "sqlite"},
    (): {"database": "none", "jwt_auth": False, "rate_limiting": False},
}
VARIABLES = {"postgres": "TEST_DATABASE_URL", "redis": "TEST_REDIS_URL"}


@pytest.mark.parametrize("answers", SERVERS.values(), ids=map("-".join, SERVERS))
@pytest.mark.parametrize("host", SCHEMAS)
def test_the_files_follow_the_published_schemas(
    template: Path, tmp_path: Path, host: str, answers: Answers
) -> None:
    project = write(template, tmp_path, {"ci": host, **answers})
    for name, schema in SCHEMAS[host].items():
        if schema:
            check(BIN / "check-jsonschema", "--builtin-schema", schema, name, cwd=project)
        else:
            check(BIN / "pre-commit", "validate-config", name, cwd=project)


@pytest.mark.parametrize(("servers", "answers"), SERVERS.items())
def test_the_workflow_starts_the_servers_that_are_needed(
    template: Path, tmp_path: Path, servers: tuple[str, ...], answers: Answers
) -> None:
    project = write(template, tmp_path, answers)
    workflow = yaml.safe_load((project / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    job = workflow["jobs"]["check"]
    variables = {name for step in job["steps"] for name in step.get("env", {})}
    assert set(job.get("services", {})) == set(servers)
    assert variables == {VARIABLES[server] for server in servers}


def test_a_schedule_on_gitlab_looks_for_a_newer_template_and_does_nothing_else(
    template: Path, tmp_path: Path
) -> None:
    project = write(template, tmp_path, {"ci": "gitlab"})
    pipeline = yaml.safe_load((project / ".gitlab-ci.yml").read_text("utf-8"))
    schedule = {"if": '$CI_PIPELINE_SOURCE == "schedule"'}
    assert schedule in pipeline["workflow"]["rules"]
    assert pipeline["template"]["rules"] == [schedule]
    assert pipeline["template"]["script"] == ["make outdated"]
    jobs = {name for name, entry in pipeline.items() if "script" in entry} - {"template"}
    assert jobs == {"lint", "test", "test-on-servers", "container"}
    assert pipeline[".on-change"]["rules"] == [{"if": '$CI_PIPELINE_SOURCE != "schedule"'}]
    for name in jobs:
        assert pipeline[name]["extends"] == ".on-change", name
        assert "rules" not in pipeline[name], name


def test_the_github_workflow_is_hardened(template: Path, tmp_path: Path) -> None:
    project = write(template, tmp_path, {})
    for repository in (project, REPOSITORY):
        check(BIN / "zizmor", "--offline", "--no-progress", ".github", cwd=repository)
        for workflow in (repository / ".github" / "workflows").glob("*.yml"):
            for action in re.findall(r"uses: (\S+)", workflow.read_text("utf-8")):
                own = action.startswith("$/")
                assert own or re.search(r"@[0-9a-f]{40}$", action), (
                    f"{action} is not pinned by commit"
                )


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_the_workflows_of_the_template_itself_are_valid(workflow: Path) -> None:
    schema = ("--builtin-schema", "vendor.github-workflows")
    check(BIN / "check-jsonschema", *schema, workflow, cwd=REPOSITORY)
    content = load(workflow.name)
    assert content["permissions"] == {}
    for job in content["jobs"].values():
        assert job["permissions"]
        if "steps" in job:
            assert job["timeout-minutes"] <= 360  # what a hosted runner allows
        for step in job.get("steps", []):
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False
            if script := step.get("run"):
                assert "${{" not in script
                check("bash", "-n", "-c", script, cwd=REPOSITORY)


def test_the_weekly_proof_tries_the_newest_releases() -> None:
    workflow = load("proof.yml")
    assert {"schedule", "workflow_dispatch"} == set(workflow["on"])
    job = workflow["jobs"]["prove"]
    commands = [step["run"] for step in job["steps"] if "run" in step]
    # what uv has locked within the bounds, it keeps
    assert commands[:2] == ["python3 scripts/bounds.py lift", "scripts/install_tools.sh"]
    assert commands[2].startswith("make proof ")
    proof = next(step for step in job["steps"] if step.get("run") == commands[2])
    assert proof["timeout-minutes"] < job["timeout-minutes"]
    assert job["permissions"] == {"contents": "read"}
    assert job["services"] == load("ci.yml")["jobs"]["prove"]["services"]


@pytest.mark.parametrize("number", ["", "12"])
def test_a_proof_that_fails_is_reported_in_one_issue(tmp_path: Path, number: str) -> None:
    runner = Runner(tmp_path / "runner", REPOSITORY)
    lines = [f"{each} ```" for each in range(1000)]
    (runner.folder / "proof.log").write_bytes("\n".join(lines).encode() + b"\xff\nlast")
    result = runner.run("proof.yml", "prove", "log")
    assert result.returncode == 0, result.stderr
    output = (runner.folder / "output").read_text("utf-8").splitlines()
    assert output[0] == f"lines<<{output[-1]}"
    log = "\n".join(output[1:-1])
    assert output[1] == "901 ```"
    assert log.endswith("\nlast")

    name = "Open an issue, or comment on the open one"
    values = {"LOG": log, "RUN": "https://example.com/runs/1"}
    result = runner.run("proof.yml", "report", name, finds=number, **values)
    assert result.returncode == 0, result.stderr
    assert "https://example.com/runs/1\n" in runner.body()
    assert f"~~~~~text\n{log}\n~~~~~\n" in runner.body()
    said = runner.calls()[-1]
    if number:
        assert said == "issue comment 12 --body-file report.md"
    else:
        title = "--title The weekly proof fails --label proof"
        assert said == f"issue create {title} --body-file report.md"


def test_a_proof_that_fails_before_it_starts_is_reported_too(tmp_path: Path) -> None:
    runner = Runner(tmp_path / "runner", REPOSITORY)
    assert runner.run("proof.yml", "prove", "log").returncode == 0
    output = (runner.folder / "output").read_text("utf-8")
    assert "\nIt failed before the first test: see the run.\n" in output


@pytest.mark.parametrize(("user", "prefix"), [("0", ""), ("1000", "sudo ")])
def test_tools_are_installed_as_root_or_by_sudo(tmp_path: Path, user: str, prefix: str) -> None:
    tools, calls = tmp_path / "bin", tmp_path / "calls"
    tools.mkdir()
    for name in ("bash", "dirname", "env"):
        (tools / name).symlink_to(str(shutil.which(name)))
    stand_ins = {
        "apt-get": f'echo "apt-get $*" >>{calls}',
        "sudo": f'printf "sudo " >>{calls}; exec "$@"',
        "id": f"echo {user}",
        **dict.fromkeys(("docker", "google-chrome", "openssl"), "true"),
    }
    for name, script in stand_ins.items():
        (tools / name).write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        (tools / name).chmod(0o755)
    install = REPOSITORY / "scripts" / "install_tools.sh"
    check(install, "debootstrap", cwd=tmp_path, PATH=str(tools))
    packages = "redis-server haproxy debootstrap"
    assert calls.read_text("utf-8").splitlines() == [
        f"{prefix}apt-get update -qq",
        f"{prefix}apt-get install -y -qq --no-install-recommends {packages}",
    ]
    assert "\nscripts/install_tools.sh\n" in (REPOSITORY / ".ci" / "run").read_text("utf-8")


def test_no_host_means_no_file_of_any_host(template: Path, tmp_path: Path) -> None:
    project = write(template, tmp_path, {"ci": "none"})
    for name in (".github", ".gitlab-ci.yml", "renovate.json"):
        assert not (project / name).exists()
    readme = (project / "README.md").read_text("utf-8").lower()
    assert "github runs" not in readme
    assert "gitlab" not in readme
