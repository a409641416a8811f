"""Somebody has the persons of a lead named in full, in Chromium; afterwards they are masked again."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from alerts.accounts import Role, account
from alerts.alert import alert_id
from alerts.reveal import REVEALED, persons_of
from alerts.store import Store
from alerts.web.bounds import Bounds
from alerts.web.gate import COOKIE, Gate
from tests.browser import leads
from tests.browser.chromium import chromium, grave, outside, reading
from tests.browser.site import SECRET, made_template, serving, store_in, tell
from tests.test_reveal import Clock, put

LEAD = leads.batch()
HERE = f"/alerts/{alert_id(LEAD)}"
LIMIT = timedelta(minutes=15)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = store_in(tmp_path, made_template(tmp_path))
    tell(store, LEAD)
    yield store
    store.close()


@pytest.fixture
def page(store: Store, clock: Clock) -> Iterator[Page]:
    with (
        serving(store, clock, bounds=Bounds(reveal_for=LIMIT)) as site,
        chromium() as browser,
        reading(browser, store, site) as context,
    ):
        yield context.new_page()


def test_a_screener_unmasks_with_a_reason_sees_the_persons_and_later_does_not(
    page: Page, store: Store, clock: Clock
) -> None:
    persons = persons_of(store, alert_id(LEAD))
    records = page.locator("table.raw").last
    page.goto(HERE)
    assert not any(person in page.content() for person in persons)

    page.get_by_text("显示完整编号").click()
    assert grave(page) == []
    page.get_by_label("现场核查").check()
    page.get_by_label("具体事由").fill("到药店核对这几张卡的持卡人")
    page.get_by_role("button", name="显示", exact=True).click()
    expect(page.locator("#unmasked")).to_contain_text("现场核查")
    assert all(person in page.content() for person in persons)
    page.get_by_text("逐条列出").click()
    expect(records).to_contain_text(persons[0])
    assert len(store.events_after(0, kinds=[REVEALED])) == 1
    assert (grave(page), outside(page)) == ([], [])
    if shots := os.environ.get("FUNDWATCH_SHOTS"):
        page.screenshot(path=f"{shots}/unmasked.png", full_page=True)

    clock.time += LIMIT
    page.reload()
    expect(page.get_by_text("显示完整编号")).to_be_visible()
    assert not any(person in page.content() for person in persons)


def test_an_auditor_reads_the_trail_and_verifies_it(page: Page, store: Store, clock: Clock) -> None:
    put(store, "shen", Role.AUDITOR)
    who = account(store, "shen")
    assert who is not None
    page.goto("/")
    site = page.url.rstrip("/")
    page.context.add_cookies([{"name": COOKIE, "value": Gate(store, SECRET, clock).session(who), "url": site}])
    page.goto(HERE)
    page.get_by_role("link", name="审计", exact=True).click()
    page.get_by_label("做了什么").select_option(label="查看")
    page.get_by_role("button", name="查询并校验整条记录").click()
    expect(page.locator("#proof")).to_contain_text("校验通过")
    expect(page.locator("table.raw")).to_contain_text("shen")
    for lang in ("zh", "en"):
        page.goto(f"/prefer?lang={lang}&next=/audit")
        assert grave(page) == []
    if shots := os.environ.get("FUNDWATCH_SHOTS"):
        page.goto("/prefer?lang=zh&next=/audit%3Fverify%3Dtrue")
        page.screenshot(path=f"{shots}/audit.png")
