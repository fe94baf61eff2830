"""The documentation makes a site, and every link in it leads somewhere."""

import re
from pathlib import Path

from tests.projects import BIN, check
from tests.questions import REPOSITORY

PAGES = sorted((REPOSITORY / "docs").glob("*.md"))


def test_the_site_is_made_without_a_warning(tmp_path: Path) -> None:
    strict = ("--fail-on-warning", "--keep-going", "--nitpicky")
    check(BIN / "sphinx-build", "--quiet", *strict, "docs", tmp_path, cwd=REPOSITORY)
    start = (tmp_path / "index.html").read_text("utf-8")
    for page in PAGES:
        assert f'href="{page.stem}.html"' in start or page.stem == "index", page


def test_the_links_of_the_readme_lead_somewhere() -> None:
    text = (REPOSITORY / "README.md").read_text("utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert links
    for link in links:
        assert (REPOSITORY / link).exists(), link


def test_every_page_can_be_reached_from_the_readme() -> None:
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    for page in PAGES:
        if page.stem not in {"index", "options", "contributing", "changelog"}:
            assert f"](docs/{page.name})" in readme, page
