"""Somebody has the persons of a lead named in full, in Chromium; afterwards they are masked again."""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from alerts.alert import alert_id
from alerts.reveal import REVEALED, persons_of
from alerts.store import Store
from alerts.web.bounds import Bounds
from tests.browser import leads
from tests.browser.chromium import chromium, grave, outside, reading
from tests.browser.site import made_template, now, serving, store_in, tell

LEAD = leads.batch()
HERE = f"/alerts/{alert_id(LEAD)}"
LIMIT = timedelta(minutes=15)


class Clock:
    """Goes only where it is put."""

    def __init__(self) -> None:
        self.time = now()

    def __call__(self) -> datetime:
        return self.time


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
