"""The documentation pages work in a real browser, without a network, under their policy."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

from tests.browsers import open_chromium
from tests.rendering import write
from tests.services import Service, install
from tests.test_auth import EMAIL, PASSWORD, running_service

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = write(template, tmp_path_factory.mktemp("browser"), {})
    install(project)
    return project


@pytest.fixture(scope="module", params=["", "/shop"], ids=["at the root", "below a path"])
def root(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def service(project: Path, root: str) -> Iterator[Service]:
    with running_service(project, ROOT_PATH=root) as service:
        service.url += root
        yield service


@pytest.fixture
def page(service: Service) -> Iterator[Page]:
    """Open the machine's own Chromium, which reaches the service and nothing else."""
    with sync_playwright() as playwright:
        browser = open_chromium(playwright)
        page = browser.new_page(
            base_url=f"{service.url}/", viewport={"width": 1200, "height": 1400}
        )
        page.route(lambda url: not url.startswith(service.url), lambda route: route.abort())
        yield page
        browser.close()


def authorize(page: Page, password: str) -> Locator:
    """Fill in the form behind the button Authorize, and send it."""
    page.goto("docs")
    page.get_by_role("button", name="Authorize").first.click()
    form = page.locator(".auth-container")
    form.locator("#oauth_username").fill(EMAIL)
    form.locator("#oauth_password").fill(password)
    form.locator("button.authorize").click()
    return form


def test_swagger_logs_in_and_calls_an_endpoint(page: Page, tmp_path: Path) -> None:
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("requestfailed", lambda request: complaints.append(request.url))

    form = authorize(page, PASSWORD)
    expect(form.get_by_text("Logout")).to_be_visible()
    page.screenshot(path=tmp_path / "authorized.png")
    page.get_by_role("button", name="Close").last.click()

    operation = page.locator(".opblock", has_text="/api/v1/users/me").first
    operation.locator("button.opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    response = operation.locator(".live-responses-table .response").first
    expect(response.locator(".response-col_status")).to_contain_text("200")
    expect(response).to_contain_text(EMAIL)
    page.screenshot(path=tmp_path / "executed.png")
    assert complaints == []


def test_swagger_tells_that_the_password_is_wrong(page: Page) -> None:
    form = authorize(page, "not the right password")
    expect(form.locator(".errors")).to_contain_text("The username or the password is wrong.")
