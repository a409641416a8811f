"""Chromium for tests, and what they look at on every page."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from alerts.store import Store
from alerts.web.gate import COOKIE
from tests.browser.site import session_of

OFFICE, PHONE = {"width": 1366, "height": 768}, {"width": 390, "height": 844}
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
# texts of pictures that lie outside them
OUTSIDE = """texts => texts.filter(text => {
    const box = text.getBBox(), view = text.ownerSVGElement.viewBox.baseVal;
    const right = box.x + box.width, below = box.y + box.height;
    return box.x < -1 || box.y < -1 || right > view.width + 1 || below > view.height + 1;
}).map(text => text.textContent)"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; the test is skipped without one, and fails under CI."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium is not installed: apt-get install chromium")
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def reading(browser: Browser, store: Store, site: str, viewport: dict[str, int] = OFFICE) -> Iterator[BrowserContext]:
    """Somebody logged in; fails if a page complains or asks another host."""
    context = browser.new_context(base_url=site, locale="zh-CN", timezone_id="Asia/Shanghai")
    context.set_default_timeout(20_000)
    context.add_cookies([{"name": COOKIE, "value": session_of(store), "url": site}])
    wrong: list[str] = []
    context.on("request", lambda r: None if r.url.startswith((site, "data:")) else wrong.append(r.url))
    context.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    context.on("weberror", lambda e: wrong.append(str(e.error)))
    context.on("page", lambda page: page.set_viewport_size({"width": viewport["width"], "height": viewport["height"]}))
    yield context
    context.close()
    assert wrong == []


def outside(page: Page) -> list[str]:
    """Texts of the pictures on a page that leave them."""
    found: list[str] = page.eval_on_selector_all(".chart text", OUTSIDE)
    return found


def grave(page: Page) -> list[str]:
    """Serious and critical findings of axe, with all that can be unfolded unfolded."""
    page.eval_on_selector_all("details", "all => all.forEach(one => { one.removeAttribute('name'); one.open = true })")
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in found if one["impact"] in ("serious", "critical")
    ]
