"""Pages beside the feed in Chromium, over an office in the middle of its work."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from alerts.store import Store
from tests.browser import busy
from tests.browser.chromium import PHONE, chromium, grave, outside, reading
from tests.browser.site import made_template, now, serving, store_in

PATHS = ("/overview", "/indicators", "/outcomes", "/account", f"/subjects/org/{busy.SHOP}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    directory: Path = tmp_path_factory.mktemp("busy")
    store = store_in(directory, made_template(directory))
    busy.fill(store, now(), days=9)
    yield store
    store.close()


@pytest.fixture(scope="module")
def site(store: Store) -> Iterator[str]:
    with serving(store) as address:
        yield address


@pytest.fixture
def context(browser: Browser, store: Store, site: str) -> Iterator[BrowserContext]:
    with reading(browser, store, site) as context:
        yield context


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("lang", "theme"), [("zh", "dark"), ("en", "light")])
def test_a_page_shuts_nobody_out_and_keeps_its_words_inside(page: Page, path: str, lang: str, theme: str) -> None:
    page.goto(f"/prefer?lang={lang}&theme={theme}&next={path}")
    assert outside(page) == []
    assert grave(page) == []


@pytest.mark.parametrize("path", PATHS)
def test_a_page_fits_a_phone(page: Page, path: str) -> None:
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


# -- overview


def test_every_picture_of_the_overview_is_a_table_too(page: Page) -> None:
    page.goto("/overview")
    expect(page.locator(".fig .chart")).to_have_count(6)
    for figure in page.locator(".fig:has(.chart)").all():
        figure.locator("summary").click()
        expect(figure.locator("tbody tr").first).to_be_visible()


def test_the_overview_says_what_waits_and_what_is_late(page: Page) -> None:
    page.goto("/overview")
    waits = page.get_by_role("region", name="积压与逾期")
    waits.locator("summary").click()
    new = waits.get_by_role("row", name="待研判").get_by_role("cell").all_text_contents()
    assert int(new[1]) > int(new[2]) > 0


# -- subjects


def test_a_lead_leads_to_its_institution_and_back(page: Page) -> None:
    page.goto(f"/?q={busy.SHOP}")
    page.locator(".row").first.press("Enter")
    page.locator(".aside .pairs a").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("P33****10007")
    page.get_by_role("table").locator("tbody a").first.click()
    expect(page.locator(".lead-page")).to_be_visible()


def test_a_column_sorts_both_ways_by_its_worth_and_the_address_keeps_it(page: Page) -> None:
    page.goto(f"/subjects/org/{busy.SHOP}")
    leads = page.locator("table.all").first

    def amounts() -> list[float]:
        told = leads.locator("tbody td.num").all_text_contents()
        return [float(amount.replace(",", "")) for amount in told]

    unsorted = amounts()
    assert len(set(unsorted)) > 1
    head = leads.get_by_role("columnheader", name="涉及金额")
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(head).to_have_attribute("aria-sort", "descending")
    page.keyboard.press("Enter")
    expect(head).to_have_attribute("aria-sort", "ascending")
    rising = amounts()
    assert rising == sorted(rising)
    page.reload()
    assert amounts() == rising
    expect(leads.get_by_role("columnheader", name="涉及金额")).to_have_attribute("aria-sort", "ascending")


def test_what_leads_share_is_drawn_and_told_as_links(page: Page) -> None:
    page.goto("/")
    page.locator(".row").first.press("Enter")
    ties = page.get_by_role("region", name="关联图")
    expect(ties.locator(".chart")).to_be_visible()
    ties.locator("summary").click()
    ties.locator("td a").first.click()
    expect(page.locator(".subject-page")).to_be_visible()


def test_a_lead_prints_on_one_sheet(page: Page) -> None:
    page.goto(f"/?q={busy.SHOP}")
    page.locator(".row").first.press("Enter")
    expect(page.locator(".lead-page")).to_be_visible()
    assert len(re.findall(rb"/Type /Page\b", page.pdf(prefer_css_page_size=True))) == 1
