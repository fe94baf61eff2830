"""`make update` in real repositories, whatever the settings of git and wherever they are."""

import os
from pathlib import Path

import pytest

from tests.edited import edit, expect_clean, make_edits
from tests.projects import (
    ENGINES,
    Snapshot,
    check,
    clone_template,
    commit_all,
    expect_files,
    read_answers,
    run,
    snapshot,
)
from tests.questions import Answers
from tests.rendering import write
from tests.services import database_for, install, migrate, need_postgresql, tool, use_environment
from tests.terminals import at_terminal
from tests.updates import (
    expect_second_release,
    make_update,
    release_again,
    update_of,
    write_first_release,
)

pytestmark = pytest.mark.slow

# what people have in ~/.gitconfig and other ways to update obey; {} is a folder
SETTINGS = {
    "apply.whitespace": "error",
    "color.ui": "always",
    "commit.gpgSign": "true",
    "commit.template": "{}/none",
    "core.attributesFile": "{}/attributes",
    "core.autocrlf": "true",
    "core.eol": "crlf",
    "core.excludesFile": "{}/ignore",
    "core.fileMode": "false",
    "core.fsmonitor": "{}/hooks/fsmonitor-watchman",
    "core.hooksPath": "{}/hooks",
    "core.ignoreCase": "true",
    "core.quotePath": "true",
    "core.splitIndex": "true",
    "core.symlinks": "false",
    "core.untrackedCache": "true",
    "diff.external": "false",
    "diff.mnemonicPrefix": "true",
    "diff.noprefix": "true",
    "diff.renames": "false",
    "fetch.prune": "true",
    "gpg.program": "false",
    "index.version": "4",
    "init.templateDir": "{}",
    "merge.conflictStyle": "diff3",
    "merge.ff": "only",
    "merge.renames": "false",
    "protocol.allow": "never",
    "safe.bareRepository": "explicit",
    "status.relativePaths": "false",
    "status.short": "true",
    "status.showUntrackedFiles": "no",
    "submodule.recurse": "true",
    "tag.gpgSign": "true",
    "transfer.fsckObjects": "true",
    "user.useConfigOnly": "true",
}
HOOKS = """applypatch-msg commit-msg fsmonitor-watchman post-checkout post-commit post-index-change
pre-commit prepare-commit-msg reference-transaction"""


@pytest.fixture
def project(releases: Path, tmp_path: Path) -> Path:
    """Give a project of the first release."""
    return write_first_release("copier", releases, tmp_path, {})


def git_of(folder: Path, settings: dict[str, str]) -> dict[str, str]:
    """Give a person's git, as variables: their settings, and the files that these name."""
    (folder / "hooks").mkdir(parents=True)
    for name in HOOKS.split():
        (folder / "hooks" / name).write_text("#!/bin/sh\necho a hook has run >&2\nexit 1\n")
        (folder / "hooks" / name).chmod(0o755)
    (folder / "ignore").write_text("*.py\n*.toml\n.env*\n.vscode/\nAGENTS.md\nMakefile\n")
    (folder / "attributes").write_text("*.py -text merge=binary ident\nREADME.md eol=crlf\n")
    for name, value in settings.items():
        check("git", "config", "--file", "config", name, value.format(folder), cwd=folder)
    return {"GIT_CONFIG_GLOBAL": str(folder / "config")}


def test_a_new_release_arrives_and_every_edit_stays(releases: Path, tmp_path: Path) -> None:
    # other tests update projects of copier
    project = write_first_release("cookiecutter", releases, tmp_path, {})
    edits = make_edits(project)

    shown = update_of(project, "dry=1")
    assert "\n-fail_under = 90\n+fail_under = 91\n" in shown
    assert shown.endswith("Nothing was changed.\n")
    assert check("git", "status", "--porcelain", cwd=project) == ""

    printed = update_of(project)

    assert printed.startswith("Template v0.1.0 -> v0.2.0\n")
    assert "run make lint test" in printed
    expect_clean(project, edits)
    expect_second_release(project)
    status = check("git", "status", "--porcelain", cwd=project).splitlines()
    assert {" M pyproject.toml", " D .editorconfig", "?? app/extra.py"} <= set(status)
    commit_all(project, "Update")
    assert update_of(project).endswith("There is nothing to update.\n")


@pytest.mark.parametrize(
    "names",
    [[*SETTINGS], *(pytest.param([name], marks=pytest.mark.proof) for name in SETTINGS)],
    ids=["all", *SETTINGS],
)
def test_settings_of_git_change_nothing(releases: Path, tmp_path: Path, names: list[str]) -> None:
    project = write_first_release("copier", releases, tmp_path, {})
    edits = make_edits(project)
    person = git_of(tmp_path / "person", {name: SETTINGS[name] for name in names})
    check("git", "config", "commit.gpgSign", "true", cwd=project)
    if "core.hooksPath" in names:
        check("cp", "-r", str(tmp_path / "person" / "hooks"), ".git/", cwd=project)
    # as where a hook starts it, and where folder and template belong to somebody else
    check("chown", "-R", "nobody", str(project), str(releases), cwd=tmp_path)
    try:
        hook = {"GIT_DIR": str(project / ".git"), "GIT_INDEX_FILE": str(project / ".git" / "index")}
        printed = update_of(project, GIT_EXTERNAL_DIFF="false", **hook, **person)
    finally:
        check("chown", "-R", str(os.getuid()), str(project), str(releases), cwd=tmp_path)

    expect_clean(project, edits)
    expect_second_release(project)
    ignored = "app/extra.py: new, but git ignores it: git add --force app/extra.py\n"
    assert (ignored in printed) is ("core.excludesFile" in names)


def test_other_work_in_the_repository_is_left_alone(releases: Path, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    project = write_first_release("copier", releases, repository / "services", {})
    check("rm", "-rf", ".git", cwd=project)
    (repository / "README.md").write_text("All our services.\n")
    (repository / "other.txt").write_text("1\n")
    commit_all(repository)
    (repository / "README.md").write_text("All our services, and more.\n")
    (repository / "other.txt").write_text("2\n")
    (repository / "new.txt").write_text("new\n")
    check("git", "add", "other.txt", cwd=repository)

    update_of(project)

    expect_second_release(project)
    assert not (repository / "app").exists()
    status = check("git", "status", "--porcelain", cwd=repository).splitlines()
    others = [line for line in status if "services/" not in line]
    assert others == [" M README.md", "M  other.txt", "?? new.txt"]
    assert (repository / "README.md").read_text() == "All our services, and more.\n"


def test_files_that_git_does_not_show_are_left_alone_with_a_word(project: Path) -> None:
    # ignored and in no commit, as where a personal ignore file was there from the start
    check("git", "rm", "--quiet", "--cached", "pyproject.toml", cwd=project)
    edit(project / ".gitignore", "# Environments\n", "# Environments\npyproject.toml\nextra.py\n")
    commit_all(project)
    (project / "pyproject.toml").write_text("mine\n")
    (project / "app" / "extra.py").write_text("mine\n")
    check("git", "update-index", "--assume-unchanged", "README.md", cwd=project)
    (project / "README.md").write_text("mine\n")
    (project / ".editorconfig").unlink()
    check("git", "update-index", "--skip-worktree", ".editorconfig", cwd=project)

    printed = update_of(project)

    assert "pyproject.toml: left out, a file that is not in git is there\n" in printed
    assert "app/extra.py: left out, a file that is not in git is there\n" in printed
    assert "README.md: left alone, it is assumed to be unchanged\n" in printed
    assert ".editorconfig: left alone, it is outside your sparse checkout\n" in printed
    for name in ("pyproject.toml", "app/extra.py", "README.md"):
        assert (project / name).read_text() == "mine\n"
    assert "Reply, to show" in (project / "app" / "health.py").read_text("utf-8")


def test_a_sparse_checkout_takes_what_is_in_it(project: Path) -> None:
    check("git", "sparse-checkout", "set", "scripts", "tests", cwd=project)
    assert not (project / "app").exists()
    printed = update_of(project)
    assert "app/health.py: left alone, it is outside your sparse checkout\n" in printed
    assert "rest follows by itself" in (project / "README.md").read_text("utf-8")


def test_conflicts_name_both_sides_and_what_to_do(project: Path) -> None:
    edit(project / "app" / "health.py", "Answer, to show", "Say, to show")
    edit(project / "README.md", "## Test\n", "<<<<<<< a line of mine\n\n## Test\n")
    commit_all(project, "Edit")

    result = make_update(project)

    assert result.returncode != 0
    assert "remove the markers" in result.stdout
    assert result.stdout.endswith("\n  app/health.py\n")
    text = (project / "app" / "health.py").read_text("utf-8")
    assert "<<<<<<< yours\n" in text
    assert "\n>>>>>>> template v0.2.0\n" in text
    assert "Say, to show" in text
    assert "Reply, to show" in text


def expect_refusal(project: Path, sentence: str, *arguments: str, **environment: str) -> None:
    """Expect a sentence, a status other than 0, and no change of any file."""
    before = snapshot(project)
    result = make_update(project, *arguments, **environment)
    assert result.returncode != 0
    assert sentence in result.stderr
    assert "Nothing was changed.\n" in result.stderr
    assert "Traceback" not in result.stderr
    # Python keeps what it has compiled
    expect_files(project, {**before, **compiled(project)})


def compiled(project: Path) -> Snapshot:
    """Give what Python has compiled of the scripts, which git ignores."""
    return {name: file for name, file in snapshot(project).items() if name.endswith(".pyc")}


def no_repository(project: Path) -> str:
    check("rm", "-rf", ".git", cwd=project)
    return "fatal: not a git repository"


def no_commit(project: Path) -> str:
    check("rm", "-rf", ".git", cwd=project)
    check("git", "init", "--quiet", cwd=project)
    return "An update starts from a commit: git add . && git commit.\n"


def uncommitted_work(project: Path) -> str:
    edit(project / "README.md", "## Test\n", "## Try\n")
    return "Commit or stash your work first:\n M README.md\n"


def no_answers(project: Path) -> str:
    (project / ".copier-answers.yml").unlink()
    commit_all(project)
    return ".copier-answers.yml is not in the last commit: it names the template.\n"


def broken_answers(project: Path) -> str:
    (project / ".copier-answers.yml").write_text("cors: [\n")
    commit_all(project)
    return ".copier-answers.yml cannot be read: "


def unknown_version(project: Path) -> str:
    edit(project / ".copier-answers.yml", "_commit: v0.1.0", "_commit: v0.0.7")
    commit_all(project)
    return "has no version v0.0.7, but: v0.1.0, v0.2.0.\n"


def unreachable_template(project: Path) -> str:
    answers = read_answers(project)
    edit(project / ".copier-answers.yml", answers["_src_path"], "/nowhere")
    commit_all(project)
    return "fatal: repository '/nowhere' does not exist\n"


@pytest.mark.parametrize(
    "spoil",
    [
        no_repository,
        no_commit,
        uncommitted_work,
        no_answers,
        broken_answers,
        unknown_version,
        unreachable_template,
    ],
)
def test_a_project_that_is_not_ready_is_refused(project: Path, spoil: object) -> None:
    assert callable(spoil)
    expect_refusal(project, spoil(project))


REFUSED = {
    "crs=false": "There is no option crs. Is it cors? All options: project_name, ",
    "ARGS=--trust": "There is no option ARGS. Is it ",
    "cors=perhaps": 'cors: Answer true or false, not "perhaps".\n',
    "ci=jenkins": "ci: ",
    "kubernetes=true database=sqlite": "kubernetes: Its replicas cannot share a file.",
    "to=v9": "has no version v9, but: v0.1.0, v0.2.0.\n",
    "to=v0.1.0": "v0.1.0 is older than the version that this project has.\n",
    "database=none": "Nobody can answer here: repeat with YES=1 to go on.\n",
}


@pytest.mark.parametrize(("arguments", "sentence"), REFUSED.items(), ids=REFUSED)
def test_what_cannot_be_done_is_refused(
    releases: Path, tmp_path: Path, arguments: str, sentence: str
) -> None:
    project = write(releases, tmp_path, {})
    commit_all(project)
    expect_refusal(project, sentence, *arguments.split())


def test_answers_that_another_one_changes_are_listed_and_confirmed(
    releases: Path, tmp_path: Path
) -> None:
    project = write(releases, tmp_path, {"caching": True})
    commit_all(project)
    environment = use_environment(project)
    with at_terminal(["make", "update", "database=none"], project, **environment) as terminal:
        terminal.wait_for("Continue? [y/N]")
        assert "jwt_auth: False, because of your other answers" in terminal.text()
        assert "caching: False, because of your other answers" in terminal.text()
        terminal.type("n\r")
        assert terminal.end() != 0
        assert "Nothing was changed." in terminal.text()
    assert check("git", "status", "--porcelain", cwd=project) == ""
    with at_terminal(["make", "update", "database=none"], project, **environment) as terminal:
        terminal.wait_for("Continue? [y/N]")
        terminal.type("y\r")
        assert terminal.end() == 0, terminal.text()
    answers = read_answers(project)
    assert [answers[name] for name in ("database", "jwt_auth", "caching")] == ["none", False, False]


def test_what_goes_with_a_feature_is_listed_before_anything_changes(
    releases: Path, tmp_path: Path
) -> None:
    project = write(releases, tmp_path, {})
    edit(project / "app" / "cors.py", "Answer preflight requests", "Answer browsers")
    (project / "app" / "mine.py").write_text(
        '"""Mine."""\n\nfrom app.cors import cors_middleware\n'
    )
    commit_all(project)
    expect_refusal(project, "repeat with YES=1", "cors=false")
    listed = make_update(project, "cors=false").stdout
    assert "\n  app/cors.py: deleted, with your edits\n" in listed
    assert "\n  app/mine.py:3: imports app.cors.cors_middleware, which is removed\n" in listed

    assert "cors: True -> False\n" in update_of(project, "cors=false", YES="1")
    assert not (project / "app" / "cors.py").exists()
    assert not (project / "tests" / "test_cors.py").exists()


def test_newer_scripts_run_only_when_they_were_seen(tmp_path: Path) -> None:
    template = clone_template(tmp_path / "template")
    project = write_first_release("copier", template, tmp_path, {})
    script = template / "template" / "scripts" / "update.py"
    edit(script, 'DONE = "Updated. ', 'DONE = "Updated by newer scripts. ')
    release_again(template)

    expect_refusal(project, "repeat with YES=1")
    shown = make_update(project).stdout
    assert '\n+DONE = "Updated by newer scripts. ' in shown
    assert "The template has newer scripts for updates, which run next:\n" in shown

    assert "Updated by newer scripts." in update_of(project, YES="1")
    expect_second_release(project)


def test_the_newest_scripts_update_a_project_that_has_none(project: Path, releases: Path) -> None:
    check("git", "rm", "-rq", "scripts/update.py", "scripts/updating", cwd=project)
    commit_all(project)
    script = releases / "template" / "scripts" / "update.py"
    command = ("uv", "run", "--quiet", "--script", str(script), "websockets=true", "to=v0.2.0")
    check(*command, cwd=project, **use_environment(project))
    expect_second_release(project)
    assert (project / "app" / "rooms").exists()


def test_no_secret_of_an_address_is_stored(project: Path, releases: Path, tmp_path: Path) -> None:
    answers = read_answers(project)
    address = "git+https://me:secret@example.com/template"
    edit(project / ".copier-answers.yml", answers["_src_path"], address)
    commit_all(project)
    key = f"url.{releases}.insteadOf"
    refusing = {"transfer.credentialsInUrl": "die", "protocol.file.allow": "never"}
    leading = {key: "https://me:secret@example.com/template"}
    person = git_of(tmp_path / "person", {**refusing, **leading})

    update_of(project, **person)

    expect_second_release(project)
    text = (project / ".copier-answers.yml").read_text("utf-8")
    assert "_src_path: git+https://example.com/template\n" in text


@pytest.mark.parametrize("engine", ENGINES)
def test_a_newer_template_is_reported(releases: Path, tmp_path: Path, engine: str) -> None:
    project = write_first_release(engine, releases, tmp_path, {})
    command = ("make", "--silent", "outdated")
    (project / "unfinished.txt").write_text("work\n")

    outdated = run(*command, cwd=project, **use_environment(project))
    assert outdated.stdout == "Template v0.2.0 is available. Update with: make update\n"
    assert outdated.returncode != 0

    edit(project / ".copier-answers.yml", "_commit: v0.1.0", "_commit: v0.2.0")
    commit_all(project)
    current = run(*command, cwd=project, **use_environment(project))
    assert current.stdout == "There is no newer template.\n", current.stderr
    assert current.returncode == 0

    unreachable_template(project)
    unknown = run(*command, cwd=project, **use_environment(project))
    assert unknown.returncode != 0
    assert "does not exist" in unknown.stderr


@pytest.mark.parametrize(
    ("database", "answers"),
    [
        ("sqlite", ["jwt_auth=true", "jwt_auth=false", "jwt_auth=true", "jwt_auth=false"]),
        ("postgresql", ["jwt_auth=true", "jwt_auth=false"]),
    ],
)
def test_databases_follow_when_users_come_and_go(
    template: Path, tmp_path: Path, database: str, answers: list[str]
) -> None:
    if database == "postgresql":
        need_postgresql()
    first: Answers = {"database": database, "jwt_auth": False}
    project = write(template, tmp_path, first)
    commit_all(project)
    install(project)
    with database_for(project, first) as settings:
        store(project, settings)
        commit_all(project)
        for number, answer in enumerate(answers):
            printed = update_of(project, answer)
            # the migrations that come first are the template's own
            assert ("a migration for your databases" in printed) is (number > 0)
            install(project)
            migrate(project, settings)
            tool(project, "alembic", "check", **settings)
            commit_all(project, "Migrate")
    tool(project, "ruff", "check")
    tool(project, "ruff", "format", "--check")
    tool(project, "mypy")
    tool(project, "pytest", "-q", "tests/database", "tests/items")


def store(project: Path, settings: dict[str, str]) -> None:
    """Put an item into the database."""
    code = """
import asyncio
from app.database.engine import create_engine
from app.database.session import open_session
from app.items.models import Item
from app.settings import Settings


async def store():
    engine = create_engine(Settings())
    async with open_session(engine) as session:
        session.add(Item(name="Lamp", description="", quantity=1))
        await session.commit()
    await engine.dispose()


asyncio.run(store())
"""
    tool(project, "python", "-c", code, **settings)
