"""What goes into the logs, and what never does."""

import ast
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import structlog

from stream_app import logs

NUMBER = "33010619800101123X"
MOBILE = "13800000000"
ROOT = Path(__file__).parents[1]
LEVELS = ("debug", "info", "warning", "error", "exception", "critical")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    for name in logs.QUIET:
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_every_line_is_one_json_object_with_time_level_and_component(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("worker")
    structlog.get_logger().info("alert_opened", alert="a1")
    logging.getLogger("uvicorn").warning("port %d taken", 80)
    ours, theirs = map(json.loads, capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["alert"], ours["level"], ours["component"]) == (
        "alert_opened", "a1", "info", "worker",
    )  # fmt: skip
    assert (theirs["event"], theirs["level"]) == ("port 80 taken", "warning")
    assert ours["timestamp"].endswith("Z")


def test_no_personal_data_comes_through_any_call(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("worker")
    ours, theirs = structlog.get_logger(), logging.getLogger("faust.app")
    ours.info("seen", psn_name="张三", certno=NUMBER, person={"tel": "13800000000", "id": NUMBER}, many=[NUMBER])
    ours.warning(f"seen {NUMBER}")
    theirs.warning("seen %s", NUMBER)
    theirs.warning("seen", extra={"psn_name": "张三"})
    try:
        raise ValueError(f"cannot read {NUMBER}")
    except ValueError:
        ours.exception("failed")
        theirs.exception("failed")
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 6
    for personal in ("张三", NUMBER, "13800000000"):
        assert personal not in said


class Call(NamedTuple):
    """A line in our code that logs: where, how, under which name, with which fields."""

    at: str
    level: str
    event: str
    fields: tuple[str, ...]


def calls() -> list[Call]:
    found: list[Call] = []
    for path in sorted(path for folder in ("alerts", "stream_app") for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS):
                continue
            if isinstance(node.func.value, ast.Name) and node.func.value.id in {"log", "logger"}:
                name = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else ""
                fields = tuple(keyword.arg or "" for keyword in node.keywords)
                found.append(Call(f"{path.name}:{node.lineno}", node.func.attr, str(name), fields))
    return found


def test_personal_data_comes_through_no_log_call_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    """Every call, with personal data in each of its fields: in a sentence, in a mapping, in a fault."""
    logs.configure("worker", level="DEBUG")
    log = structlog.get_logger()
    sentence = f"of {NUMBER}, tel. {MOBILE}"
    values = (sentence, {"psn_name": "张三", "note": NUMBER}, [NUMBER, MOBILE], int(NUMBER[:-1] + "1"))
    for call in calls():
        for value in values:
            told = {name: value for name in call.fields if name != "exc_info"}
            getattr(log, "error" if call.level == "exception" else call.level)(call.event, **told)
        try:
            raise ValueError(sentence)
        except ValueError as error:
            log.error(call.event, why=repr(error), exc_info=error)
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 5 * len(calls()) > 50
    for personal in (NUMBER, NUMBER[:-1], MOBILE, "张三"):
        assert personal not in said


@pytest.mark.parametrize("call", calls(), ids=lambda call: call.at)
def test_no_call_of_ours_has_a_field_for_what_is_personal(call: Call) -> None:
    assert not {name.lower() for name in call.fields} & logs.PERSONAL
    assert call.event, "a name that is worked out may hold anything"


def test_longer_numbers_are_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("worker")
    structlog.get_logger().info("seen", trace_code="81234567890123456789", offset=12)
    seen = json.loads(capsys.readouterr().err)
    assert (seen["trace_code"], seen["offset"]) == ("81234567890123456789", 12)
