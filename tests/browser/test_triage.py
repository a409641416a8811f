"""Working through the list in Chromium: with the keyboard alone, many at once, on a phone, and with others beside."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from alerts.accounts import Role
from alerts.alert import alert_id
from alerts.casework import work_of
from alerts.life import Asked, Name, State
from alerts.store import Store
from detectors.finding import Lead
from tests.browser.chromium import OFFICE, PHONE, chromium, grave, reading
from tests.browser.site import NAME, serving, store_in, tell
from tests.leads import lead
from tests.test_outcomes import step
from tests.test_work import record

TEN = [lead(f"P33010210007/T{n}", amount=100_000 - n, events=(f"e{n}", f"f{n}")) for n in range(10)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def store(tmp_path: Path, template: Path) -> Iterator[Store]:
    store = store_in(tmp_path, template)
    record(store, "wang", Role.SCREENER)
    tell(store, *TEN)
    yield store
    store.close()


@pytest.fixture
def site(store: Store) -> Iterator[str]:
    with serving(store) as address:
        yield address


@pytest.fixture
def context(browser: Browser, store: Store, site: str) -> Iterator[BrowserContext]:
    with reading(browser, store, site) as context:
        yield context


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return at(context, OFFICE)


def at(context: BrowserContext, size: dict[str, int]) -> Page:
    page = context.new_page()
    page.set_viewport_size({"width": size["width"], "height": size["height"]})
    page.goto("/")
    expect(page.locator("#state")).to_have_attribute("data-state", "live")
    return page


def row(page: Page, one: Lead) -> str:
    return f'.item[data-id="{alert_id(one)}"]'


def states(store: Store) -> list[State]:
    works = [work_of(store, alert_id(one)) for one in TEN]
    return [work.state for work in works if work]


def test_ten_leads_are_worked_through_with_the_keyboard_alone(page: Page, store: Store) -> None:
    """The first six are dismissed together, the others screened one by one as the next that waits."""
    for _ in range(6):
        page.keyboard.press("j")
        page.keyboard.press("x")
    expect(page.locator("#bulk-count")).to_have_text("已选6条")
    page.keyboard.press("f")
    expect(page.locator("#dismiss-count")).to_have_text("将排除6条线索，原因相同。")
    for _ in range(4):  # to what policy allows
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("集采试点")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#told-what")).to_contain_text("已办6条。")
    assert states(store)[:6] == [State.DISMISSED] * 6
    for n in range(6, 10):
        page.keyboard.press("n")
        expect(page).to_have_url(re.compile(alert_id(TEN[n])))
        page.wait_for_load_state()
        page.locator(".move summary").first.focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator(".work .stand b")).to_have_text("待复审")
        page.wait_for_load_state()
        page.keyboard.press("Escape")
        expect(page.locator("#state")).to_have_attribute("data-state", "live")
    assert states(store)[6:] == [State.SCREENED] * 4


def test_what_cannot_be_done_stays_chosen_and_says_why(page: Page, store: Store) -> None:
    page.locator(f"{row(page, TEN[0])} .pick").check()
    page.locator(f"{row(page, TEN[1])} .pick").check()
    page.get_by_role("button", name="暂停").click()
    page.route("**/live*", lambda route: route.abort())
    step(store, TEN[0], 0, "wang", Name.SCREEN, Asked())
    page.locator("#bulk").get_by_role("button", name="排除").click()
    page.locator("#dismiss-reason").select_option("data")
    page.locator("#dismiss-note").fill("传了两次")
    page.locator("#dismiss").get_by_role("button", name="排除").click()
    expect(page.locator("#told-what")).to_contain_text("1条未办")
    expect(page.locator(".item.picked")).to_have_count(1)


def test_a_claim_is_seen_and_can_be_given_back(page: Page, store: Store) -> None:
    page.keyboard.press("j")
    page.keyboard.press("a")
    mine = page.locator(row(page, TEN[0]))
    expect(mine.locator(".st")).to_contain_text(NAME)
    page.get_by_role("button", name="撤销").click()
    expect(mine.locator(".st")).not_to_contain_text(NAME)
    page.locator(f"{row(page, TEN[2])} .pick").check()
    page.locator("#bulk-holder").select_option("wang")
    expect(page.locator(row(page, TEN[2])).locator(".st")).to_contain_text("wang")
    page.goto("/?holder=wang")
    expect(page.locator(".item")).to_have_count(1)


def test_what_another_does_shows_in_its_place(page: Page, store: Store) -> None:
    before = page.eval_on_selector_all(".row", "rows => rows.map(r => r.getBoundingClientRect().top)")
    step(store, TEN[4], 0, "wang", Name.SCREEN, Asked())
    expect(page.locator(row(page, TEN[4])).locator(".st")).to_contain_text("待复审")
    expect(page.locator("#pill")).to_be_hidden()
    assert page.eval_on_selector_all(".row", "rows => rows.map(r => r.getBoundingClientRect().top)") == before


def test_what_nobody_opened_is_marked_until_it_is(page: Page) -> None:
    expect(page.locator(".item.new")).to_have_count(10)
    page.locator(row(page, TEN[3])).locator(".row").press("Enter")
    expect(page.locator(".lead-page")).to_be_visible()
    page.goto("/")
    expect(page.locator(".item.new")).to_have_count(9)


def test_a_view_is_kept_under_a_name_and_opened_again(page: Page) -> None:
    page.goto("/?level=red&least=1000")
    page.get_by_label("视图名称").fill("一千元以上")
    page.get_by_role("button", name="存为视图").click()
    page.get_by_role("link", name="全部有效").click()
    expect(page).to_have_url(re.compile(r"/$"))
    page.get_by_role("link", name="一千元以上").click()
    expect(page).to_have_url(re.compile(r"level=red&least=1000$"))
    page.get_by_role("button", name="删除视图“一千元以上”").click()
    page.reload()
    expect(page.get_by_role("link", name="一千元以上")).to_have_count(0)


def test_letter_keys_can_be_switched_off(page: Page) -> None:
    page.keyboard.press("?")
    page.get_by_label("使用字母快捷键").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator(".item.picked")).to_have_count(0)
    page.keyboard.press("ArrowDown")
    expect(page.locator('.row[aria-current="true"]')).to_be_focused()


def test_compact_rows_hold_a_line_each_and_are_kept(page: Page) -> None:
    tall = page.locator(".row").first.bounding_box()
    page.get_by_role("link", name="紧凑").click()
    short = page.locator(".row").first.bounding_box()
    assert tall
    assert short
    assert short["height"] < tall["height"] / 2


def test_on_a_phone_a_lead_is_found_read_and_screened(context: BrowserContext, store: Store) -> None:
    page = at(context, PHONE)
    tabs = page.get_by_role("navigation", name="主导航")
    box = tabs.bounding_box()
    assert box
    assert box["y"] + box["height"] == PHONE["height"]
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.locator(row(page, TEN[1])).locator(".say").click()
    page.locator(".work summary").get_by_text("初审通过", exact=True).click()
    page.locator(".work").get_by_role("button", name="初审通过", exact=True).click()
    expect(page.locator(".work .stand b")).to_have_text("待复审")
    tabs.get_by_role("link", name="态势").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("态势")
    assert states(store)[1] is State.SCREENED


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_on_a_phone_a_sentence_has_the_whole_width(context: BrowserContext, lang: str) -> None:
    page = at(context, PHONE)
    page.goto(f"/prefer?lang={lang}&next=/")
    box = page.locator(".row .why").first.bounding_box()
    assert box
    assert box["width"] > PHONE["width"] * 0.8


@pytest.mark.parametrize(("lang", "theme"), [("zh", "light"), ("en", "dark")])
def test_the_list_with_all_unfolded_shuts_nobody_out(page: Page, lang: str, theme: str) -> None:
    page.goto(f"/prefer?lang={lang}&theme={theme}&next=/?level=red")
    page.locator(".pick").first.check()
    assert grave(page) == []
    page.keyboard.press("f")
    expect(page.locator("#dismiss")).to_be_visible()
    assert grave(page) == []
