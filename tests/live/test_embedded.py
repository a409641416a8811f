"""``fundwatch up``: what dies is started again, what is stopped leaves nothing behind, what was stored is kept."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # its types are a package of their own
import pytest
import redis

from stream_app import topics
from stream_app.embedded import kafka_server, ports, redis_server
from stream_app.embedded.directory import Directory
from stream_app.embedded.jars import JarsError, kafka_jars
from stream_app.settings import Settings
from tests.live.servers import ROOT, absent, eventually, system_running

PARTS = ("kafka", "redis", "feed", "archive", "worker")


@pytest.fixture(scope="module", autouse=True)
def _servers_can_be_had() -> None:
    try:
        kafka_server.find_java()
        kafka_jars()
        redis_server.find_server()
    except (JarsError, redis_server.RedisMissingError) as error:
        absent(str(error))


class Up:
    """A running ``up``."""

    def __init__(self, data: Path, process: subprocess.Popen[bytes]) -> None:
        self.data, self.process = data, process

    def run(self) -> dict[str, object]:
        return Directory(self.data).read()

    def pid(self, name: str) -> int:
        found = self.run()[name]
        pid = found[0] if isinstance(found, list) and found else found
        return pid if isinstance(pid, int) else 0

    def pids(self) -> set[int]:
        return {self.pid(name) for name in PARTS} - {0}

    def is_up(self) -> bool:
        """Do the servers of this very process answer?"""
        if not (self.data / "run.json").exists() or self.run()["up"] != self.process.pid:
            return False
        settings = Settings.load(data_dir=self.data)
        try:
            with redis.Redis.from_url(settings.redis.url) as client:
                return bool(client.ping()) and set(topics.ALL) == set(topics.partitions(settings.kafka))
        except (redis.RedisError, topics.KafkaAwayError):
            return False

    def said(self) -> str:
        return (self.data / "up.log").read_text()


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    data = tmp_path_factory.mktemp("system")
    with system_running(data, "--no-demo") as process:
        system = Up(data, process)
        eventually(system.is_up, f"the system is up ({data}/up.log)", 90)
        yield system


@pytest.mark.parametrize("name", ["kafka", "redis"])
def test_a_killed_server_is_started_again_with_what_it_held(system: Up, name: str) -> None:
    settings = Settings.load(data_dir=system.data)
    with redis.Redis.from_url(settings.redis.url) as client:
        client.set("kept", name)
    before = system.pid(name)
    os.kill(before, signal.SIGKILL)
    eventually(lambda: system.pid(name) not in {0, before} and system.is_up(), f"{name} is back", 60)
    with redis.Redis.from_url(settings.redis.url) as client:
        assert client.get("kept") == name.encode()


def test_a_killed_worker_is_started_again(system: Up) -> None:
    eventually(lambda: system.pid("worker") != 0, "there is a worker", 60)
    before = system.pid("worker")
    os.kill(before, signal.SIGKILL)
    eventually(lambda: system.pid("worker") not in {0, before}, "there is a new worker")


def test_workers_are_children_of_up(system: Up) -> None:
    eventually(lambda: system.pid("worker") != 0, "there is a worker", 60)
    assert system.run()["up"] == system.process.pid
    assert psutil.Process(system.pid("worker")).ppid() == system.process.pid


def test_a_second_up_in_the_same_directory_says_so_and_ends(system: Up) -> None:
    command = [sys.executable, "-m", "stream_app", "up", "--no-demo", "--data", str(system.data)]
    second = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert second.returncode == 1
    assert "already" in second.stderr
    assert system.is_up()


def test_everything_is_on_loopback_only(system: Up) -> None:
    listening = {
        connection.laddr.ip
        for pid in (system.process.pid, *system.pids())
        if psutil.pid_exists(pid)
        for connection in psutil.Process(pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening <= {"127.0.0.1", "::ffff:127.0.0.1"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_ctrl_c_leaves_no_process_and_no_port(data: Path) -> None:
    with system_running(data, "--no-demo") as process:
        system = Up(data, process)
        eventually(system.is_up, f"the system is up ({data}/up.log)", 90)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert not [child for child in children if child.is_running()]
    assert not any(ports.is_open(port) for name, port in system.run()["ports"].items() if name != "metrics")  # type: ignore[attr-defined]  # JSON


def test_after_a_kill_nothing_is_left_and_a_new_up_goes_on(data: Path) -> None:
    with system_running(data, "--no-demo") as process:
        system = Up(data, process)
        eventually(system.is_up, f"the system is up ({data}/up.log)", 90)
        with redis.Redis.from_url(Settings.load(data_dir=data).redis.url) as client:
            client.set("kept", "yes")
        before, children = system.run(), psutil.Process(process.pid).children(recursive=True)
        process.kill()
        eventually(lambda: not [child for child in children if child.is_running()], "the children are gone", 30)
    with system_running(data, "--no-demo") as process:
        system = Up(data, process)
        eventually(system.is_up, f"it is up again ({data}/up.log)", 90)
        assert system.run()["ports"] == before["ports"]
        with redis.Redis.from_url(Settings.load(data_dir=data).redis.url) as client:
            assert client.get("kept") == b"yes"


def test_run_json_is_whole_whenever_it_is_read(system: Up) -> None:
    for _ in range(200):
        assert json.loads((system.data / "run.json").read_text())["kafka_address"]
