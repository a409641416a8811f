"""What goes into the logs, and what never does."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from stream_app import logs

NUMBER = "33010619800101123X"


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


def test_longer_numbers_are_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("worker")
    structlog.get_logger().info("seen", trace_code="81234567890123456789", offset=12)
    seen = json.loads(capsys.readouterr().err)
    assert (seen["trace_code"], seen["offset"]) == ("81234567890123456789", 12)
