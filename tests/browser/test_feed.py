"""The feed in Chromium: what somebody on watch sees and does."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from msgspec.structs import replace
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from alerts.alert import alert_id
from alerts.store import Store
from alerts.web.gate import COOKIE
from detectors.finding import Lead, Level
from tests.browser import leads, more_leads
from tests.browser.site import NAME, PASSWORD, serving, session_of, store_in, take_back, tell, until

OFFICE = {"width": 1366, "height": 768}
PHONE = {"width": 390, "height": 844}
# texts of a picture that lie outside it
OUTSIDE = """texts => texts.filter(text => {
    const box = text.getBBox(), view = text.ownerSVGElement.viewBox.baseVal;
    const right = box.x + box.width, below = box.y + box.height;
    return box.x < -1 || box.y < -1 || right > view.width + 1 || below > view.height + 1;
}).map(text => text.textContent)"""
ROWS_ALIKE = "tbody tr:nth-child(n+4)"  # what is true of the first three of a table is true of all: axe is slow
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium is not installed: apt-get install chromium")
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def store(tmp_path: Path, template: Path) -> Iterator[Store]:
    store = store_in(tmp_path, template)
    yield store
    store.close()


@pytest.fixture
def site(store: Store) -> Iterator[str]:
    """A feed with one lead of each kind."""
    tell(store, *leads.every_kind())
    with serving(store) as address:
        yield address


class Watched:
    """What pages of a context complained of, and whom they asked."""

    def __init__(self, context: BrowserContext, site: str) -> None:
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        context.on("request", lambda r: None if r.url.startswith(site) else self.elsewhere.append(r.url))
        context.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        context.on("weberror", lambda e: self.complaints.append(str(e.error)))


@pytest.fixture
def context(browser: Browser, site: str) -> Iterator[BrowserContext]:
    """A browser of its own; the test fails if a page complains or asks another host."""
    context = browser.new_context(base_url=site, viewport=OFFICE, locale="zh-CN", timezone_id="Asia/Shanghai")
    watched = Watched(context, site)
    yield context
    context.close()
    assert watched.complaints == []
    assert watched.elsewhere == []


def log_in(page: Page) -> None:
    page.goto("/login")
    page.get_by_label("账号").fill(NAME)
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    expect(page.locator(".item").first).to_be_visible()


@pytest.fixture
def page(context: BrowserContext, store: Store, site: str) -> Page:
    """The feed, logged in and live."""
    context.add_cookies([{"name": COOKIE, "value": session_of(store), "url": site}])
    page = context.new_page()
    page.goto("/")
    is_live(page)
    return page


def is_live(page: Page) -> None:
    expect(page.locator("#state")).to_have_attribute("data-state", "live")


def row(page: Page, lead: Lead) -> str:
    return f'.item[data-id="{alert_id(lead)}"]'


def tops(page: Page) -> list[float]:
    """Where the rows stand on the screen."""
    found: list[float] = page.eval_on_selector_all(".row", "rows => rows.map(r => r.getBoundingClientRect().top)")
    return found


# -- logging in


def test_somebody_logs_in_and_out_with_the_keyboard_alone(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/?level=red")
    expect(page.get_by_label("账号")).to_be_focused()
    page.keyboard.type(NAME)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?level=red$"))
    expect(page.locator(".item")).to_have_count(2)
    page.get_by_role("button", name="退出").press("Enter")
    expect(page).to_have_url(re.compile("/login$"))


# -- the list


def test_a_new_lead_appears_without_a_reload(page: Page, store: Store) -> None:
    page.evaluate("window.same = true")
    page.mouse.move(5, 5)
    tell(store, leads.batch(18))
    expect(page.locator(".item").first).to_have_attribute("data-id", alert_id(leads.batch(18)))
    expect(page.locator(".item").first).to_have_class(re.compile("new"))
    assert page.evaluate("window.same")


def test_the_first_lead_of_all_appears_on_an_empty_page(page: Page, store: Store) -> None:
    page.goto("/?detector=empty_swipe_reverse")
    expect(page.locator("#empty")).to_be_visible()
    is_live(page)
    tell(store, leads.named(leads.batch(18), "empty_swipe_reverse"))
    expect(page.locator(".item")).to_have_count(1)
    expect(page.locator("#empty")).to_be_hidden()


def test_the_list_stands_still_while_it_is_read(page: Page, store: Store) -> None:
    page.keyboard.press("j")
    before = tops(page)
    tell(store, leads.batch(18), leads.batch(19))
    expect(page.locator("#pill")).to_have_text("↑ 2条新线索，红2")
    assert tops(page) == before
    page.locator("#pill").click()
    expect(page.locator(".item")).to_have_count(8)
    expect(page.locator("#pill")).to_be_hidden()


def test_a_lead_that_changes_does_so_in_its_place(page: Page, store: Store) -> None:
    page.keyboard.press("j")
    before = tops(page)
    tell(store, leads.graver(leads.far_apart(), Level.RED), ticket=2)
    place = page.locator(row(page, leads.far_apart()))
    expect(place).to_have_attribute("data-level", "red")
    expect(place).to_contain_text("修订2")
    assert tops(page) == before


def test_a_withdrawn_lead_stays_struck_through_with_its_reason(page: Page, store: Store) -> None:
    take_back(store, leads.taken_back(leads.far_apart()))
    place = page.locator(row(page, leads.far_apart()))
    expect(place.locator(".row")).to_have_class(re.compile("gone"))
    expect(place).to_contain_text("重新判断后本条不再成立")


def test_a_pause_is_a_pause(page: Page, store: Store) -> None:
    page.mouse.move(5, 5)
    page.keyboard.press("Space")
    expect(page.locator("#state")).to_have_attribute("data-state", "paused")
    tell(store, leads.batch(18))
    expect(page.locator("#pill")).to_be_visible()
    expect(page.locator(".item")).to_have_count(6)
    page.keyboard.press("Space")
    expect(page.locator(".item")).to_have_count(7)


def test_filters_go_to_the_address_and_stay_live(page: Page, store: Store) -> None:
    page.get_by_label("筛选").get_by_role("link", name="橙").click()
    expect(page).to_have_url(re.compile(r"\?level=orange$"))
    expect(page.locator(".item")).to_have_count(2)
    page.get_by_label("筛选").get_by_role("link", name="时空冲突").click()
    expect(page).to_have_url(re.compile(r"level=orange&detector=geo_time_conflict$"))
    expect(page.locator(".item")).to_have_count(1)
    is_live(page)
    tell(store, leads.batch(18))  # red: not for this list
    tell(store, leads.of_person(leads.far_apart(), "p00000000000001a2b"))
    expect(page.locator("#total")).to_have_text("2条")
    page.go_back()
    expect(page.locator(".item")).to_have_count(3)


def test_more_reads_the_next_page(page: Page, store: Store) -> None:
    tell(store, *(leads.of_person(leads.far_apart(), f"p{n:017x}") for n in range(60)))
    page.goto("/")
    expect(page.locator(".item")).to_have_count(50)
    page.get_by_role("button", name="更多").click()
    expect(page.locator(".item")).to_have_count(66)
    expect(page.get_by_role("button", name="更多")).to_have_count(0)


def test_the_summary_follows_the_choice(page: Page) -> None:
    page.locator(row(page, leads.ghost_bed())).click()
    expect(page.locator("#side")).to_contain_text("连续未通过")
    expect(page).to_have_url(re.compile("/$"))
    page.locator("#side").get_by_role("link", name="打开").click()
    expect(page).to_have_url(re.compile(alert_id(leads.ghost_bed())))


def test_the_keys_do_what_the_bar_says(page: Page) -> None:
    page.keyboard.press("j")
    page.keyboard.press("j")
    chosen = page.locator('.row[aria-current="true"]')
    expect(chosen).to_be_focused()
    second = page.locator(".row").nth(1).get_attribute("href")
    expect(chosen).to_have_attribute("href", second or "")
    page.keyboard.press("k")
    expect(chosen).not_to_have_attribute("href", second or "")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator("#search")).to_have_value("j")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("j")
    expect(chosen).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/alerts/"))  # until it is loaded: its keys are a script's
    page.keyboard.press("Escape")
    expect(page.locator(".item")).to_have_count(6)


def test_a_search_finds_words_of_the_reason(page: Page) -> None:
    page.locator("#search").fill("追溯码")
    page.keyboard.press("Enter")
    expect(page.locator(".item")).to_have_count(1)


# -- by risk, inhibited, snoozed


def names_in_order(page: Page) -> list[str]:
    found: list[str] = page.eval_on_selector_all(".item", "items => items.map(item => item.dataset.id)")
    return found


def test_the_list_stands_by_risk_and_a_new_lead_takes_its_place(page: Page, store: Store) -> None:
    page.mouse.move(5, 5)
    assert names_in_order(page)[-1] == alert_id(leads.bought_in_stay())
    cheap = leads.of_person(leads.far_apart(), "p00000000000001a2b")
    tell(store, replace(cheap, amount_at_risk_fen=100))
    expect(page.locator(row(page, cheap))).to_have_class(re.compile("new"))
    order = names_in_order(page)
    page.reload()
    assert names_in_order(page) == order
    assert order.index(alert_id(cheap)) == order.index(alert_id(leads.far_apart())) + 1
    page.get_by_label("排序").get_by_role("link", name="最近变动在前").click()
    expect(page.locator(".item").first).to_have_attribute("data-id", alert_id(cheap))


def test_a_lead_that_belongs_further_down_waits_for_its_page(page: Page, store: Store) -> None:
    tell(store, *(leads.of_person(leads.far_apart(), f"p{n:017x}") for n in range(60)))
    page.goto("/")
    is_live(page)
    page.mouse.move(5, 5)
    blue = leads.graver(leads.of_person(leads.far_apart(), "p00000000000001a2b"), Level.BLUE)
    tell(store, blue)
    expect(page.locator("#total")).to_have_text("67条")
    expect(page.locator(".item")).to_have_count(50)
    page.get_by_role("button", name="更多").click()
    expect(page.locator(row(page, blue))).to_be_visible()


def test_a_milder_lead_on_the_same_events_stays_in_the_list_and_says_why(page: Page, store: Store) -> None:
    take_back(store, leads.taken_back(leads.batch()))
    tell(store, leads.milder())
    page.goto("/")
    is_live(page)
    page.keyboard.press("j")
    place = page.locator(row(page, leads.milder()))
    expect(place).not_to_contain_text("另有更重的线索")
    tell(store, leads.batch(), ticket=3)
    expect(place).to_contain_text("同一批事件另有更重的线索： 红 集中刷卡")
    expect(page.locator("#pill")).to_have_text("↑ 1条新线索，红1")
    page.get_by_label("筛选").get_by_role("link", name="只看最重的").click()
    expect(page).to_have_url(re.compile(r"inhibited=no$"))
    expect(place).to_have_count(0)
    page.goto(f"/alerts/{alert_id(leads.milder())}")
    page.locator(".notes").get_by_role("link", name="集中刷卡").click()
    expect(page).to_have_url(re.compile(alert_id(leads.batch())))
    expect(page.get_by_role("region", name="同一批事件上较轻的线索")).to_contain_text("多机构连刷")


def test_a_new_lead_on_events_of_a_graver_one_calls_nobody(page: Page, store: Store) -> None:
    page.keyboard.press("j")
    tell(store, leads.milder())
    expect(page.locator("#total")).to_have_text("7条")
    expect(page.locator("#pill")).to_be_hidden()
    page.keyboard.press("Home")
    expect(page.locator(row(page, leads.milder()))).to_contain_text("另有更重的线索")
    expect(page.locator(row(page, leads.milder()))).not_to_have_class(re.compile("new"))


def test_a_subject_is_snoozed_with_the_keyboard_alone(page: Page, store: Store) -> None:
    page.keyboard.press("j")
    page.keyboard.press("j")
    name = page.locator('.item:has(.row[aria-current="true"])').get_attribute("data-id") or ""
    page.keyboard.press("s")
    expect(page).to_have_url(re.compile(f"{name}#rest$"))
    expect(page.get_by_label("7天")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.type("等药店回函")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".notes")).to_contain_text("对象暂缓至")
    expect(page.get_by_role("region", name="暂缓", exact=True)).to_contain_text("等药店回函")
    page.wait_for_load_state()
    page.keyboard.press("Escape")
    expect(page.locator(".item")).to_have_count(5)
    page.get_by_label("筛选").get_by_role("link", name="暂缓").click()
    expect(page.locator(f'.item[data-id="{name}"]')).to_contain_text("对象暂缓至")


def test_a_snoozed_subject_calls_nobody_until_it_becomes_graver(page: Page, store: Store) -> None:
    rest(page, leads.far_apart())
    page.goto("/")
    is_live(page)
    page.keyboard.press("j")
    other = leads.resting_on(leads.of_person(leads.far_apart(), "p00000000000001a2b"), "x1")
    tell(store, leads.named_again(), other)
    expect(page.locator("#pill")).to_have_text("↑ 1条新线索，橙1")
    expect(page.get_by_label("筛选").get_by_role("link", name="暂缓")).to_contain_text("2")
    tell(store, leads.graver(leads.named_again(), Level.RED), ticket=2)
    expect(page.locator("#pill")).to_have_text("↑ 3条新线索，红1、橙2")
    page.keyboard.press("Home")
    for one in (leads.named_again(), leads.far_apart()):
        expect(page.locator(row(page, one))).to_be_visible()


def test_an_end_by_hand_brings_the_subject_back(page: Page) -> None:
    rest(page, leads.far_apart())
    page.get_by_role("button", name="结束暂缓").click()
    expect(page.locator(".notes")).to_have_count(0)
    page.goto("/")
    expect(page.locator(".item")).to_have_count(6)


def rest(page: Page, lead: Lead) -> None:
    """As a screener does."""
    page.goto(f"/alerts/{alert_id(lead)}#rest")
    page.get_by_role("textbox", name="理由").fill("等药店回函")
    page.get_by_role("button", name="暂缓", exact=True).click()
    expect(page.locator(".notes")).to_contain_text("对象暂缓至")


# -- many tabs, and a server that goes away


def test_many_tabs_are_live_on_one_connection(context: BrowserContext, store: Store) -> None:
    streams: list[str] = []
    context.on("request", lambda request: streams.append(request.url) if "/live?" in request.url else None)
    leading = context.new_page()
    log_in(leading)
    until(lambda: leading.title() and len(streams) == 1)
    tabs = [context.new_page() for _ in range(7)]
    for tab in tabs:
        tab.goto("/")
        is_live(tab)
    tell(store, leads.batch(18))
    for tab in tabs:
        hears_of(tab, leads.batch(18))
    assert len(streams) == 1
    leading.close()
    until(lambda: tabs[0].title() and len(streams) == 2)
    tell(store, leads.batch(19))
    for tab in tabs:
        hears_of(tab, leads.batch(19))
    assert len(streams) == 2


def hears_of(tab: Page, lead: Lead) -> None:
    """It is in the list, or waits above it."""
    expect(tab.locator(row(tab, lead)).or_(tab.locator("#pill:not([hidden])")).first).to_be_visible()


def test_nothing_is_lost_while_the_server_is_away(browser: Browser, store: Store) -> None:
    tell(store, *leads.every_kind())
    with serving(store) as site:
        port = int(site.rpartition(":")[2])
        context = browser.new_context(base_url=site, viewport=OFFICE, locale="zh-CN")
        page = context.new_page()
        log_in(page)
        is_live(page)
        page.mouse.move(5, 5)
    expect(page.locator("#state")).to_have_attribute("data-state", "again")
    tell(store, leads.batch(18))
    with serving(store, port=port):
        expect(page.locator(row(page, leads.batch(18)))).to_be_visible(timeout=20_000)
        is_live(page)
        ids = page.eval_on_selector_all(".item", "items => items.map(item => item.dataset.id)")
        assert len(ids) == len(set(ids)) == 7
        context.close()


# -- a lead's page


@pytest.mark.parametrize("lead", leads.every_kind(), ids=lambda lead: lead.detector)
def test_a_lead_is_told_with_its_picture(page: Page, lead: Lead) -> None:
    page.goto(f"/alerts/{alert_id(lead)}")
    process = page.locator('section[aria-labelledby="process"]')
    expect(process.locator("svg.chart")).to_be_visible()
    for heading in ("对照阈值", "过程", "排除情形", "金额", "条款", "数据质量", "原始记录"):
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
    process.get_by_text("显示为表格").click()
    expect(process.get_by_role("table")).to_be_visible()


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("lead", leads.every_kind(), ids=lambda lead: lead.detector)
def test_no_word_of_a_picture_leaves_it(page: Page, lead: Lead, lang: str) -> None:
    page.goto(f"/prefer?lang={lang}&next=/alerts/{alert_id(lead)}")
    assert page.eval_on_selector_all("svg.chart text", OUTSIDE) == []


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_no_word_leaves_the_pictures_of_the_ten(page: Page, store: Store, lang: str) -> None:
    page.goto(f"/prefer?lang={lang}&next=/")
    outside = {}
    for ticket, lead in enumerate([*more_leads.ten_kinds(), *more_leads.much_and_little()], start=1):
        tell(store, lead, ticket=ticket)
        page.goto(f"/alerts/{alert_id(lead)}")
        expect(page.locator("svg.chart").first).to_be_visible()
        outside[f"{ticket} {lead.detector}"] = page.eval_on_selector_all("svg.chart text", OUTSIDE)
    assert {name: words for name, words in outside.items() if words} == {}


@pytest.mark.parametrize(("lang", "theme"), [("zh", "light"), ("en", "dark")])
def test_the_pages_of_the_ten_shut_nobody_out(page: Page, store: Store, lang: str, theme: str) -> None:
    page.goto(f"/prefer?lang={lang}&theme={theme}&next=/")
    tell(store, *more_leads.ten_kinds())
    found = {lead.detector: violations(page, f"/alerts/{alert_id(lead)}") for lead in more_leads.ten_kinds()}
    assert {detector: grave for detector, grave in found.items() if grave} == {}


def test_an_open_lead_says_when_there_is_a_newer_revision(page: Page, store: Store) -> None:
    page.goto(f"/alerts/{alert_id(leads.far_apart())}")
    expect(page.locator("#updated")).to_be_hidden()
    tell(store, leads.graver(leads.far_apart(), Level.RED), ticket=2)
    expect(page.locator("#updated")).to_be_visible()
    page.locator("#updated a").click()
    expect(page.locator(".head")).to_contain_text("修订2")


# -- both languages, both themes, small screens


def test_the_language_is_kept(page: Page) -> None:
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", name="Standing leads")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.locator(".row").first.dblclick()
    expect(page.get_by_role("heading", name="Exclusions")).to_be_visible()


@pytest.mark.parametrize(("lang", "theme"), [("zh", "dark"), ("en", "light")])
def test_no_page_shuts_anybody_out(page: Page, store: Store, lang: str, theme: str) -> None:
    tell(store, leads.milder(), leads.named_again())
    rest(page, leads.readmitted())
    page.goto(f"/prefer?lang={lang}&theme={theme}&next=/")
    paths = [
        "/",
        "/?level=blue&detector=geo_time_conflict",
        "/?status=open&status=snoozed&order=newest",
        f"/alerts/{alert_id(leads.milder())}",
        *(f"/alerts/{alert_id(lead)}" for lead in leads.every_kind()),
    ]
    found = {path: violations(page, path) for path in paths}
    page.locator("form.who button").click()
    found["/login"] = violations(page, "/login")
    assert {path: grave for path, grave in found.items() if grave} == {}


def violations(page: Page, path: str) -> list[str]:
    """Serious and critical findings of axe."""
    page.goto(path)
    for table in page.locator("summary").all():
        table.click()
    found = Axe().run(page, {"exclude": [[ROWS_ALIKE]]}).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("width", [390, 683, 1024])
def test_a_narrow_page_does_not_scroll_sideways(page: Page, width: int) -> None:
    page.set_viewport_size({**PHONE, "width": width})
    for path in ("/", f"/alerts/{alert_id(leads.batch())}", "/login"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_a_phone_a_touch_opens_the_lead(page: Page) -> None:
    page.set_viewport_size(PHONE)
    page.goto("/")
    page.locator(".row").first.click()
    expect(page).to_have_url(re.compile("/alerts/"))


# -- shut


def test_an_inline_script_or_style_would_be_refused(browser: Browser, site: str) -> None:
    context = browser.new_context(base_url=site)
    page = context.new_page()
    refused: list[str] = []
    page.on("console", lambda m: refused.append(m.text) if "Content Security Policy" in m.text else None)
    page.goto("/login")
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = true'}))"
    )
    assert page.evaluate("window.ran") is None
    context.close()
    assert refused
