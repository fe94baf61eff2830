"""Name the template's folder as cookiecutter expects; runs in its temporary copy of this repository."""

from pathlib import Path

Path("template").rename("{{cookiecutter.project_slug}}")
