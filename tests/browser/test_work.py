"""Working a lead in Chromium: from the first look to the archive, and two people at one lead."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from alerts.accounts import Role, account
from alerts.alert import alert_id
from alerts.kept import AccountRecord
from alerts.store import Store
from alerts.web.gate import COOKIE, Gate
from tests.browser import leads
from tests.browser.site import SECRET, made_template, now, serving, store_in, tell

OFFICE, PHONE = {"width": 1366, "height": 768}, {"width": 390, "height": 844}
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PEOPLE = {
    "chen": Role.SCREENER,
    "wang": Role.SCREENER,
    "fang": Role.REVIEWER,
    "gao": Role.INVESTIGATOR,
    "hou": Role.INVESTIGATOR,
}
LEAD = leads.batch()
HERE = f"/alerts/{alert_id(LEAD)}"


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


class Office:
    """A feed with one lead, and each person at a screen."""

    def __init__(self, browser: Browser, store: Store, address: str) -> None:
        self.browser, self.store, self.address = browser, store, address
        self.contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    def at(self, name: str, *, lang: str = "zh", viewport: dict[str, int] = OFFICE, theme: str = "light") -> Page:
        """The lead's page as this person sees it."""
        context = self.browser.new_context(base_url=self.address, timezone_id="Asia/Shanghai")
        self.contexts.append(context)
        who = account(self.store, name)
        assert who is not None
        cookies = {COOKIE: Gate(self.store, SECRET, now).session(who), "fundwatch_lang": lang, "fundwatch_theme": theme}
        context.add_cookies([{"name": key, "value": value, "url": self.address} for key, value in cookies.items()])
        context.on("weberror", lambda e: self.complaints.append(str(e.error)))
        context.on("request", lambda r: None if r.url.startswith(self.address) else self.complaints.append(r.url))
        page = context.new_page()
        page.set_viewport_size({"width": viewport["width"], "height": viewport["height"]})
        page.goto(HERE)
        return page


@pytest.fixture
def office(browser: Browser, tmp_path: Path) -> Iterator[Office]:
    store, moment = store_in(tmp_path, made_template(tmp_path)), now()
    for name, role in PEOPLE.items():
        with store.writing() as writing:
            writing.put_account(AccountRecord(
                name=name, password_hash="", role=role.value, areas=(), disabled=False, failures=0,
                locked_until=None, created_at=moment, changed_at=moment,
            ))  # fmt: skip
    tell(store, LEAD)
    with serving(store) as address:
        made = Office(browser, store, address)
        yield made
        for context in made.contexts:
            context.close()
    store.close()
    assert made.complaints == []


def choose(page: Page, move: str) -> None:
    """Unfold a move."""
    page.locator(".work summary").get_by_text(move, exact=True).click()


def send(page: Page, move: str) -> None:
    page.locator(".work").get_by_role("button", name=move, exact=True).click()


def stands(page: Page, state: str) -> None:
    expect(page.locator(".work .stand b")).to_have_text(state)


def dispatch(page: Page, note: str) -> None:
    """The reviewer sends two officers."""
    choose(page, "复审并派发")
    page.get_by_label("核查人员1").select_option("gao")
    page.get_by_label("核查人员2").select_option("hou")
    page.locator("#note-dispatch").fill(note)
    send(page, "复审并派发")
    stands(page, "已派发")


def test_a_lead_is_screened_reviewed_checked_by_two_found_settled_and_archived(office: Office) -> None:
    chen, fang = office.at("chen"), office.at("fang")
    choose(chen, "初审通过")
    chen.locator("#note-screen").fill("13张卡7分钟内刷完")
    send(chen, "初审通过")
    stands(chen, "待复审")
    expect(chen.locator(".work")).to_contain_text("您现在无可办事项")

    fang.reload()
    dispatch(fang, "调监控，核对票据")

    gao, hou = office.at("gao"), office.at("hou")
    choose(gao, "开始核查")
    send(gao, "开始核查")
    stands(gao, "核查中")
    hou.reload()
    choose(hou, "反馈结果")
    hou.get_by_label("金额（元）").fill("2,948.14")
    hou.locator("#note-report").fill("监控中只有收银员一人")
    send(hou, "反馈结果")
    stands(hou, "已反馈")
    choose(hou, "送复核")
    send(hou, "送复核")

    fang.reload()
    choose(fang, "认定属实")
    fang.locator("#amount-confirm").fill("2948.14")
    fang.locator("#note-confirm").fill("空刷")
    send(fang, "认定属实")
    stands(fang, "属实")
    choose(fang, "处理")
    first = fang.locator(".measure").nth(0)
    first.get_by_label("措施", exact=True).select_option("recover")
    first.get_by_label("金额（元）").fill("2948.14")
    second = fang.locator(".measure").nth(1)
    second.get_by_label("措施", exact=True).select_option("points")
    second.get_by_label("记分", exact=True).fill("10")
    second.get_by_label("记分对象").select_option("cashier")
    second.get_by_label("对象编号").fill("c-0017")
    send(fang, "处理")
    stands(fang, "已处理")
    expect(fang.locator(".taken li")).to_have_count(2)

    gao.reload()
    choose(gao, "整改完成")
    gao.locator("#note-rectify").fill("收银员已停岗")
    send(gao, "整改完成")
    fang.reload()
    choose(fang, "归档")
    send(fang, "归档")
    stands(fang, "已归档")
    expect(fang.locator(".log")).to_contain_text("监控中只有收银员一人")


def test_of_two_at_one_lead_the_second_reads_who_was_first_and_loses_nothing(office: Office) -> None:
    chen, wang = office.at("chen"), office.at("wang")
    choose(wang, "排除")
    wang.locator("#reason-dismiss").select_option("data")
    wang.locator("#note-dismiss").fill("同一张单据传了两次")
    choose(chen, "初审通过")
    send(chen, "初审通过")
    stands(chen, "待复审")
    send(wang, "排除")
    expect(wang.get_by_role("alert")).to_contain_text("chen")
    expect(wang.get_by_role("alert")).to_contain_text("待复审")
    stands(wang, "待复审")
    expect(wang.locator(".kept")).to_contain_text("同一张单据传了两次")


def test_a_tip_off_is_entered_screened_and_dispatched_and_its_number_stays_off_the_page(office: Office) -> None:
    chen = office.at("chen")
    chen.goto("/")
    chen.get_by_role("link", name="录入线索").click()
    assert Axe().run(chen).response["violations"] == []
    chen.get_by_label("线索来源").select_option("tip_off")
    chen.get_by_label("来文号或受理登记号").fill("登记第90817号")
    chen.get_by_label("登记号可以查到举报人").check()
    chen.get_by_label("对象编码").fill("P33010210119")
    chen.get_by_label("事由（一句话）").fill("有人反映该店长期收集医保卡刷卡")
    chen.get_by_label("详细情况").fill("来信人电话13800001234")
    chen.get_by_role("button", name="录入", exact=True).click()
    expect(chen.get_by_role("alert")).to_contain_text("手机号码")
    chen.get_by_label("详细情况").fill("来信一封，附照片两张。")
    chen.get_by_role("button", name="录入", exact=True).click()
    expect(chen.get_by_role("heading", level=1)).to_have_text("有人反映该店长期收集医保卡刷卡")
    expect(chen.locator("#main")).not_to_contain_text("90817")
    assert Axe().run(chen).response["violations"] == []
    choose(chen, "初审通过")
    send(chen, "初审通过")
    stands(chen, "待复审")

    fang = office.at("fang")
    fang.goto("/?source=tip_off")
    expect(fang.locator(".item")).to_have_count(1)
    expect(fang.locator(".item")).to_contain_text("来源：投诉举报")
    fang.goto(chen.url)
    dispatch(fang, "到店查监控")
    fang.get_by_role("button", name="查看登记号").click()
    expect(fang.locator("#main")).to_contain_text("登记第90817号")


def test_a_lead_of_thirteen_cards_prints_on_one_sheet(office: Office) -> None:
    page = office.at("chen")
    expect(page.locator(".five li")).to_have_count(5)
    assert len(re.findall(rb"/Type /Page\b", page.pdf(prefer_css_page_size=True))) == 1


@pytest.mark.parametrize(("lang", "viewport", "theme"), [("zh", OFFICE, "light"), ("en", PHONE, "dark")])
def test_the_panel_with_its_forms_open_is_accessible_and_fits(
    office: Office, lang: str, viewport: dict[str, int], theme: str
) -> None:
    page = office.at("chen", lang=lang, viewport=viewport, theme=theme)
    for summary in page.locator(".work summary").all():
        summary.evaluate("one => { one.parentElement.name = ''; one.parentElement.open = true }")
    found = Axe().run(page, ".work")
    assert found.response["violations"] == [], found.generate_report()
    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width == 0
