"""Two people talk on the demo page, in two browsers, under its own security policy."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browsers import open_chromium
from tests.questions import REPOSITORY, Answers
from tests.rendering import write
from tests.services import Service, booted, free_port, install
from tests.test_auth import EMAIL, PASSWORD, running_service

pytestmark = pytest.mark.slow

IMAGE = REPOSITORY / "docs" / "images" / "rooms.png"
DESKTOP, PHONE = {"width": 760, "height": 560}, {"width": 390, "height": 720}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = open_chromium(playwright)
        yield browser
        browser.close()


@contextmanager
def window(browser: Browser, service: Service, size: dict[str, int]) -> Iterator[Page]:
    """Open the page in a browser window of its own, which may not complain."""
    complaints: list[str] = []
    context = browser.new_context(base_url=service.url, viewport=size)  # type: ignore[arg-type]
    page = context.new_page()
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto("/rooms")
    yield page
    context.close()
    # A refused login and a lost connection are what the tests are about; the page says so in words.
    expected = ("Failed to load resource: the server responded with a status of 400", "WebSocket")
    assert [text for text in complaints if not text.startswith(expected)] == []


def written(template: Path, folder: Path, answers: Answers) -> Path:
    """Write and install a project with rooms."""
    project = write(template, folder, {"websockets": True, **answers})
    install(project)
    return project


def join(page: Page, name: str) -> None:
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_role("status")).to_have_text("In lobby")


def say(page: Page, text: str) -> None:
    page.get_by_label("Message").fill(text)
    page.get_by_role("button", name="Send").click()


def test_two_people_talk(template: Path, tmp_path: Path, browser: Browser) -> None:
    project = written(template, tmp_path, {"database": "none", "jwt_auth": False})
    port = str(free_port())
    with (
        booted(project, PORT=port) as service,
        window(browser, service, DESKTOP) as ann,
        window(browser, service, PHONE) as bob,
    ):
        join(ann, "Ann")
        join(bob, "Bob")
        expect(ann.get_by_text("Bob came")).to_be_visible()
        say(ann, "Hello Bob! Did the new version go out?")
        expect(bob.get_by_text("Hello Bob!")).to_be_visible()
        say(bob, "Yes, an hour ago. Nobody noticed the restart.")
        say(bob, "<img src=x onerror=alert(1)> is only text here")
        expect(ann.get_by_text("<img src=x")).to_be_visible()
        say(ann, "That is how it should be.")
        expect(bob.get_by_text("That is how")).to_be_visible()
        assert ann.locator("#said img").count() == 0
        for page, name in [(ann, "desktop"), (bob, "phone")]:
            page.screenshot(path=tmp_path / f"{name}.png")
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= page.viewport_size["width"]  # type: ignore[index]
        if os.environ.get("SAVE_SCREENSHOT"):
            IMAGE.parent.mkdir(parents=True, exist_ok=True)
            IMAGE.write_bytes((tmp_path / "desktop.png").read_bytes())

        service.stop()
        why = re.compile("The service (restarts|does not answer)")
        expect(ann.get_by_role("alert")).to_contain_text(why)
        expect(ann.get_by_role("status")).to_have_text("Joining again …")
        with booted(project, PORT=port):
            for page in (ann, bob):
                expect(page.get_by_role("status")).to_have_text("In lobby", timeout=15_000)
                expect(page.get_by_role("alert")).to_be_hidden()
            say(bob, "Back again")
            expect(ann.get_by_text("Back again")).to_be_visible()
            ann.get_by_role("button", name="Leave").click()
            expect(bob.get_by_text("Ann went").last).to_be_visible()


def test_people_log_in_first(template: Path, tmp_path: Path, browser: Browser) -> None:
    project = written(template, tmp_path, {"database": "sqlite", "jwt_auth": True})
    settings = {"ROOMS_TOKEN_CHECK_SECONDS": "0.5", "ACCESS_TOKEN_LIFETIME": "PT1S"}
    with (
        running_service(project, **settings) as service,
        window(browser, service, DESKTOP) as ann,
        window(browser, service, PHONE) as bob,
    ):
        log_in(ann, "not the right password")
        expect(ann.get_by_role("alert")).to_have_text("The username or the password is wrong.")
        ann.screenshot(path=tmp_path / "refused.png")
        for page, name in [(ann, "Ann"), (bob, "Bob")]:
            log_in(page, PASSWORD)
            join(page, name)
        say(ann, "Hello")
        expect(bob.get_by_text("Hello")).to_be_visible()
        # the access tokens expire, and are refreshed without a word from the users
        with (
            ann.expect_request("**/auth/refresh", timeout=20_000),
            bob.expect_request("**/auth/refresh", timeout=20_000),
        ):
            pass
        expect(ann.get_by_role("status")).to_have_text("In lobby", timeout=10_000)
        expect(bob.get_by_role("status")).to_have_text("In lobby", timeout=10_000)
        say(ann, "Still me")
        expect(bob.get_by_text("Still me")).to_be_visible(timeout=10_000)
        # a change of the password ends all logins
        change_password(service)
        for page in (ann, bob):
            expect(page.get_by_role("alert")).to_contain_text("Log in again.", timeout=20_000)
            expect(page.get_by_label("Password")).to_be_visible()
        assert ann.evaluate("Object.keys(localStorage).length + document.cookie.length") == 0


def log_in(page: Page, password: str) -> None:
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def change_password(service: Service) -> None:
    """Give the account another password."""
    api = f"{service.url}/api/v1"
    form = {"grant_type": "password", "username": EMAIL, "password": PASSWORD}
    token = httpx2.post(f"{api}/auth/token", data=form).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    passwords = {"current_password": PASSWORD, "new_password": f"{PASSWORD} again"}
    response = httpx2.post(f"{api}/users/me/password", json=passwords, headers=headers)
    assert response.is_success, response.text
