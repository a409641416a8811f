"""Logs: one JSON object a line on stderr, from our own code and from every library, without personal data.

On a terminal they are lines for people. ``structlog.get_logger().info("alert_opened", alert=…, detector=…)``: a short
lower-case name, then fields. No name, identity number, diagnosis or amount of a person goes into a log.
"""

import logging
import re
import sys
from collections.abc import Mapping

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

PERSONAL = frozenset(
    {
        "addr",
        "address",
        "agent_certno",
        "agter_name",
        "brdy",
        "certno",
        "coner_name",
        "diag_name",
        "dr_name",
        "email",
        "id_card",
        "idcard",
        "mobile",
        "opter_name",
        "password",
        "patn_name",
        "phone",
        "psn_name",
        "secret",
        "tel",
        "token",
    }
)  # fmt: skip - names of the national interface, and what secrets are called
IDENTITY_NUMBER = re.compile(r"(?<![0-9A-Za-z])[1-9]\d{16}[0-9Xx](?![0-9A-Za-z])")
IN_TEXT = re.compile(rf"{IDENTITY_NUMBER.pattern}|(?<![0-9A-Za-z.])1[3-9]\d{{9}}(?![0-9A-Za-z])")  # or a mobile number
MASK = "***"

# These say at INFO what they do with every request or partition
QUIET = ("aiokafka", "asyncio", "faust", "mode", "alembic", "uvicorn.access", "sqlalchemy", "jgo")


def configure(component: str, *, level: str = "INFO") -> None:
    """Send all that is logged in this process to stderr. component: worker, feed, … stands in every line."""
    terminal = sys.stderr.isatty()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _Component(component),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.StackInfoRenderer(),
                structlog.processors.format_exc_info,
                mask,
                structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


class _Component:
    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        event.setdefault("component", self.name)
        return event


def mask(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Drop the values of fields that are personal or secret by name, and identity numbers wherever they stand."""
    return {name: MASK if name.lower() in PERSONAL else _masked(value) for name, value in event.items()}


def _masked(value: object) -> object:
    if isinstance(value, str):
        return IN_TEXT.sub(MASK, value)
    if isinstance(value, Mapping):
        return {name: MASK if str(name).lower() in PERSONAL else _masked(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(each) for each in value]
    if isinstance(value, int | float | None):
        return MASK if isinstance(value, int) and IDENTITY_NUMBER.fullmatch(str(value)) else value
    return IN_TEXT.sub(MASK, str(value))
