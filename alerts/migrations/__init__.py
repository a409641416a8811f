"""Making the tables of the alert store, and bringing older ones up to date."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select

from alerts.engines import WRITER_LOCK, engine_for


def upgrade(url: str) -> str:
    """Bring the tables up to date and say their version. Safe to repeat, and for two processes at once."""
    engine = engine_for(url)
    try:
        with engine.connect().execution_options(writer=True) as db, db.begin():
            if db.dialect.name == "postgresql":
                db.execute(select(func.pg_advisory_xact_lock(WRITER_LOCK)))
            command.upgrade(_config(db), "head")
            return _version(db) or ""
    finally:
        engine.dispose()


def current(url: str) -> str | None:
    """The version of the tables; None where there are none."""
    engine = engine_for(url)
    try:
        with engine.connect() as db:
            return _version(db)
    finally:
        engine.dispose()


def head() -> str | None:
    """The version this program needs."""
    return ScriptDirectory.from_config(_config(None)).get_current_head()


def _version(db: Connection) -> str | None:
    return MigrationContext.configure(db).get_current_revision()


def _config(db: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = db
    return config
