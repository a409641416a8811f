"""An engine of SQLAlchemy for the alert store, with what SQLite or PostgreSQL needs set."""

import sqlite3
from time import monotonic, sleep

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.pool import ConnectionPoolEntry

STORE_AWAY = (exc.OperationalError, exc.InterfaceError, exc.TimeoutError)  # back off and try again
WRITER_LOCK = 0x66756E64  # one advisory lock for all who append; the number only has to be ours


class StoreError(Exception):
    """There is no store here to work with; the message says what to do."""


def engine_for(url: str) -> Engine:
    """An engine with what each kind of server needs set."""
    address = make_url(url)
    return _sqlite(address) if address.get_backend_name() == "sqlite" else _postgresql(address)


def _sqlite(address: URL) -> Engine:
    if address.database in {None, "", ":memory:"}:
        raise StoreError(f"{address}: an alert store needs a file, such as sqlite:////var/lib/fundwatch/alerts.db")
    engine = create_engine(address, connect_args={"timeout": 20}, pool_size=10, max_overflow=30, pool_timeout=20)

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves: Python's own comes too late for a writer
        cursor = connection.cursor()
        _use_wal(cursor)
        for setting in ("synchronous=FULL", "foreign_keys=ON", "cache_size=-32000"):
            cursor.execute(f"PRAGMA {setting}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(db: Connection) -> None:
        db.exec_driver_sql("BEGIN IMMEDIATE" if db.get_execution_options().get("writer") else "BEGIN")

    return engine


SWITCH_WITHIN_S = 20.0


def _use_wal(cursor: DBAPICursor) -> None:
    """A new file is switched once; two that do so at once are refused, however long SQLite is told to wait."""
    deadline = monotonic() + SWITCH_WITHIN_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if monotonic() > deadline:
                raise
            sleep(0.05)
        else:
            return


def _postgresql(address: URL) -> Engine:
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    return create_engine(
        address, pool_size=5, max_overflow=10, pool_timeout=20, pool_pre_ping=True, connect_args={"connect_timeout": 5}
    )


def is_alive(db: Connection) -> bool:
    try:
        db.rollback()
        db.execute(text("SELECT 1"))
    except STORE_AWAY:
        return False
    return True
