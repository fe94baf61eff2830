"""Fixtures that every promise may use."""

from pathlib import Path

import pytest

from tests.projects import clone_template


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a clean, tagged clone of this repository, uncommitted work included."""
    return clone_template(tmp_path_factory.mktemp("template"))
