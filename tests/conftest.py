"""Fixtures that every promise may use."""

import signal
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import pytest
from copier._main import Worker
from jinja2 import Environment

from tests.projects import clone_template
from tests.proof import Proof, pytest_itemcollected
from tests.servers import provide_servers
from tests.updates import release_again

__all__ = ["pytest_itemcollected"]
pytest_plugins = ["pytester"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let tests write down what they have seen, where the docs say it."""
    parser.addoption("--write-docs", action="store_true", help="write tables of docs/ anew")
    parser.addoption("--write-proof", action="store_true", help="write docs/proof.md anew")


def pytest_configure(config: pytest.Config) -> None:
    """Let the process that hears of all tests write down what they prove, and Ctrl-C work.

    Shells start what runs in the background with Ctrl-C ignored, and programs under test inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("--write-proof") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Proof())


def pytest_sessionstart(session: pytest.Session) -> None:
    """Find or start the servers, once for all processes, before these are started."""
    if not hasattr(session.config, "workerinput") and not session.config.option.collectonly:
        provide_servers()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let both workers begin with what takes minutes, so that none is left with it at the end."""
    long = [item for item in items if item.path.name == "test_services.py"]
    short = [item for item in items if item.path.name != "test_services.py"]
    # each worker is given one half of the list, and takes from the other's end when it is done
    middle = len(short) // 2
    items[:] = [*long[::2], *short[:middle], *long[1::2], *short[middle:]]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a clean, tagged clone of this repository, uncommitted work included."""
    return clone_template(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a template with two releases."""
    return release_again(clone_template(tmp_path_factory.mktemp("releases") / "template"))


@pytest.fixture(scope="session", autouse=True)
def read_types_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let mypy remember the libraries from one project to the next; it compares their contents."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYPY_CACHE_DIR", str(tmp_path_factory.mktemp("mypy")))
        yield


@pytest.fixture(scope="session", autouse=True)
def make_bare_repositories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let git put no samples of hooks into each of the thousands of repositories that it makes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_TEMPLATE_DIR", str(tmp_path_factory.mktemp("git")))
        yield


@pytest.fixture(scope="session", autouse=True)
def compile_templates_once() -> Iterator[None]:
    """Let the engines, in this process, share what they compile; a command of theirs does not.

    Nor need copier ask git, for each file, whether it is as on Windows and forgets modes.
    """
    compiled: dict[tuple[object, ...], CodeType] = {}
    compile_template = Environment.compile

    def compile_once(
        self: Environment, source: str, name: str | None = None, filename: str | None = None
    ) -> CodeType:
        key = (type(self), self.lexer, source, name)
        if key not in compiled:
            compiled[key] = compile_template(self, source, name, filename)
        return compiled[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Environment, "compile", compile_once)
        patch.setattr(Worker, "_sync_git_index_executable_bit", lambda *_: None)
        yield
