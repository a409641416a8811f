"""A Redis Cluster of three nodes on loopback, without replicas."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from stream_app.embedded import ports
from stream_app.embedded import redis_server as redis_process
from tests.live.servers import Running, _redis_answers, _running, absent, eventually

SLOTS = 16_384
NODES = 3
NODE_TIMEOUT_MS = 2_000


@dataclass
class Cluster:
    """url: of its first node; any will do."""

    nodes: Sequence[Running]
    url: str

    def is_whole(self) -> bool:
        return all(_is_well(_port(node)) for node in self.nodes)

    def client(self, number: int) -> Redis:
        return Redis(ports.LOOPBACK, _port(self.nodes[number]))


@contextmanager
def cluster_running(folder: Path) -> Iterator[Cluster]:
    with ExitStack() as stack:
        chosen = ports.choose(*[None] * 2 * NODES)
        nodes = [
            stack.enter_context(_node(folder / f"node-{number}", port, bus))
            for number, (port, bus) in enumerate(zip(chosen[:NODES], chosen[NODES:], strict=True))
        ]
        _introduce(chosen[:NODES], chosen[NODES:])
        cluster = Cluster(nodes, f"redis://{nodes[0].address}/0")
        eventually(cluster.is_whole, "the cluster is whole")
        yield cluster


@contextmanager
def _node(folder: Path, port: int, bus: int) -> Iterator[Running]:
    try:
        command = redis_process.command(folder, port)
    except redis_process.RedisMissingError as error:
        absent(str(error))
    more = {
        "cluster-enabled": "yes",
        "cluster-port": str(bus),
        "cluster-node-timeout": str(NODE_TIMEOUT_MS),
        "cluster-config-file": str(folder / "nodes.conf"),
    }
    command += [word for name, value in more.items() for word in (f"--{name}", value)]
    with _running(command, f"{ports.LOOPBACK}:{port}", folder / "test.log", lambda: _redis_answers(port)) as running:
        yield running


def _introduce(nodes: Sequence[int], buses: Sequence[int]) -> None:
    """Share out the slots, and let the first node meet the others."""
    bounds = [SLOTS * number // NODES for number in range(NODES + 1)]
    for number, port in enumerate(nodes):
        with Redis(ports.LOOPBACK, port) as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
    with Redis(ports.LOOPBACK, nodes[0]) as client:
        for port, bus in zip(nodes[1:], buses[1:], strict=True):
            client.execute_command("CLUSTER", "MEET", ports.LOOPBACK, port, bus)


def _is_well(port: int) -> bool:
    try:
        with Redis(ports.LOOPBACK, port, decode_responses=True) as client:
            lines = str(client.execute_command("CLUSTER", "INFO")).split()
    except RedisError:
        return False
    return {"cluster_state:ok", f"cluster_known_nodes:{NODES}"} <= set(lines)


def _port(node: Running) -> int:
    return int(node.address.rpartition(":")[2])
