"""The file of a lead in Chromium: papers, notices and calls to patients, and what an auditor reads of it."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from docx import Document
from playwright.sync_api import Browser, Page, expect

from alerts.accounts import Role
from alerts.papers import Cabinet
from alerts.store import Store
from tests.browser import leads
from tests.browser.chromium import OFFICE, PHONE, chromium, grave
from tests.browser.site import made_template, now, serving, store_in, tell
from tests.browser.test_work import HERE, LEAD, Office, choose, dispatch, send
from tests.test_work import PEOPLE, record

PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = store_in(tmp_path, made_template(tmp_path))
    for name, role in PEOPLE.items():
        record(store, name, role)
    record(store, "shen", Role.AUDITOR)
    tell(store, LEAD)
    yield store
    store.close()


@pytest.fixture
def office(browser: Browser, store: Store, tmp_path: Path) -> Iterator[Office]:
    cabinet = Cabinet(folder=tmp_path / "papers", most_bytes=100_000, most_papers=5)
    with serving(store, cabinet=cabinet) as address:
        made = Office(browser, store, address)
        yield made
        for context in made.contexts:
            context.close()
    assert made.complaints == []


def unfold(page: Page, place: str, what: str) -> None:
    page.locator(f"section[aria-labelledby={place}] summary").get_by_text(what, exact=True).click()


def brought(page: Page, name: str) -> bytes:
    """What a link of that name has the reader keep."""
    with page.expect_download() as got:
        page.get_by_role("link", name=name).click()
    return got.value.path().read_bytes()


def test_papers_are_handed_in_read_and_withdrawn_a_notice_is_written_and_the_auditor_reads_of_it(
    office: Office,
) -> None:
    chen, fang = office.at("chen"), office.at("fang")
    choose(chen, "初审通过")
    chen.locator("#note-screen").fill("13张卡7分钟内刷完")
    send(chen, "初审通过")
    fang.reload()
    dispatch(fang, "调监控，核对票据")

    gao = office.at("gao")
    unfold(gao, "papers", "上传材料")
    gao.get_by_label("选择文件").set_input_files(
        {"name": "现场 照片.exe", "mimeType": "image/png", "buffer": b"MZ\x90"}
    )
    gao.get_by_role("button", name="上传", exact=True).click()
    expect(gao.get_by_role("alert")).to_contain_text("只收 PDF")
    unfold(gao, "papers", "上传材料")
    gao.get_by_label("选择文件").set_input_files(
        {"name": "现场 记录.pdf", "mimeType": "application/pdf", "buffer": PDF}
    )
    gao.get_by_role("button", name="上传", exact=True).click()
    expect(gao).to_have_url(f"{office.address}{HERE}#papers")
    assert brought(gao, "现场 记录.pdf") == PDF

    unfold(gao, "papers", "生成文书")
    gao.get_by_label("文书种类").select_option(label="现场检查通知书")
    gao.get_by_role("button", name="生成", exact=True).click()
    word = Document(io.BytesIO(brought(gao, "现场检查通知书")))
    assert any("gao、hou" in one.text for one in word.paragraphs)

    item = gao.locator("#papers ~ ul li", has_text="现场 记录.pdf")
    item.locator("summary").click()
    item.get_by_label("撤回原因").fill("扫描不清")
    item.get_by_role("button").click()
    expect(gao.locator("#papers ~ ul s")).to_have_text("现场 记录.pdf")
    assert gao.get_by_role("link", name="现场 记录.pdf").count() == 0

    shen = office.at("shen")
    shen.goto("/audit?what=work")
    for said in ("提交材料", "撤回材料", "办理"):
        expect(shen.locator("tbody td", has_text=said).first).to_be_visible()
    expect(shen.locator("tbody tr", has_text="撤回材料")).to_contain_text("文件 现场 记录.pdf")
    expect(shen.locator("tbody tr", has_text="办理").last).to_contain_text("原状态 待研判 现状态 待复审")
    shen.get_by_role("button", name="校验").click()
    expect(shen.locator("#proof")).to_contain_text("校验通过")
    shen.goto("/audit?what=views")
    expect(shen.locator("tbody td", has_text="查阅材料").first).to_be_visible()


def test_a_patient_is_called_back_by_whom_it_was_asked_of(office: Office) -> None:
    chen = office.at("chen")
    unfold(chen, "calls", "安排回访")
    chen.get_by_label("由谁回访").select_option("gao")
    chen.get_by_label("最后期限").fill(f"{now().astimezone(leads.CHINA):%Y-%m-%d}")
    chen.get_by_label("问什么").fill("当天是否本人持卡购药？")
    chen.get_by_role("button", name="安排回访").click()
    expect(chen.locator("#calls ~ ul li")).to_contain_text("当天是否本人持卡购药？")

    gao = office.at("gao")
    gao.get_by_role("link", name="回访").first.click()
    gao.locator("main summary").click()
    gao.get_by_label("结果").select_option("denied")
    gao.get_by_label("对方怎么说").fill("卡一直在药店")
    gao.get_by_role("button", name="保存").click()
    expect(gao.locator("#calls ~ ul li")).to_contain_text("卡一直在药店")
    gao.goto("/calls")
    expect(gao.locator("main")).to_contain_text("没有待办的回访")


@pytest.mark.parametrize(("lang", "theme"), [("zh", "dark"), ("en", "light")])
def test_file_calls_and_trail_shut_nobody_out_and_fit_a_phone(office: Office, lang: str, theme: str) -> None:
    for name, path in (("gao", HERE), ("gao", "/calls"), ("shen", "/audit")):
        page = office.at(name, lang=lang, theme=theme)
        page.goto(path)
        assert grave(page) == []
        for size in (OFFICE, PHONE):
            page.set_viewport_size({"width": size["width"], "height": size["height"]})
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
