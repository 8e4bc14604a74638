"""Apache Kafka itself: its jars by Maven into the cache, one broker (KRaft) on free ports of loopback, with every kind of listener."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from a2llm.cache import build_once
from support.certificates import Authority, Identity
from support.servers.gateway import free_port, process

POM = Path(__file__).parents[2] / "integration" / "kafka" / "pom.xml"
VERSION = "4.1.2"
USER, PASSWORD = "a2", "open-sesame"
START_S, FETCH_S = 180.0, 900
CLUSTER = "a2llm-of-tests-kafka-0A"


def missing_tools() -> str:
    """Names the tools to install; empty if all are there."""
    missing = [name for name in ("java", "mvn", "openssl") if shutil.which(name) is None]
    return f"{', '.join(missing)} not found; on Debian: apt-get install default-jre-headless maven openssl" if missing else ""


def libraries() -> Path:
    """The folder of the broker's jars, fetched once (54 MB)."""
    key = f"kafka-{VERSION}-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"
    return build_once(key, _fetch)


def _fetch(folder: Path) -> None:
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    done = subprocess.run(["mvn", "-q", "-B", "-f", str(POM), *goal], capture_output=True, text=True, timeout=FETCH_S)
    if done.returncode:
        pytest.exit(f"Maven could not fetch Kafka: {done.stdout[-2000:]}{done.stderr[-500:]}", 2)


class Broker:
    """Its listeners by name, each a port: plain, sasl (PLAIN, SCRAM), sasl_tls, mutual_tls. Data stays over `stop` and `start`."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.folder, self.authority = folder, authority
        self.log, self.data = folder / "broker.log", folder / "data"
        self.ports = {name: free_port() for name in ("plain", "sasl", "sasl_tls", "mutual_tls", "controller")}
        self._configuration, self._running = folder / "server.properties", ExitStack()
        self._configuration.write_text(self._properties(authority.identity("broker")))
        scram = [f"--add-scram=SCRAM-SHA-{bits}=[name={USER},password={PASSWORD}]" for bits in (256, 512)]
        said = ["format", "--standalone", "--cluster-id", CLUSTER, "--config", self._configuration, *scram]
        self._java("kafka.tools.StorageTool", *said)

    def address(self, listener: str = "plain") -> str:
        return f"127.0.0.1:{self.ports[listener]}"

    def start(self) -> None:
        command = self._command("kafka.Kafka", self._configuration)
        self._running.enter_context(process(command, self.ports["plain"], self.log, {}, start_s=START_S))

    def kill(self) -> None:
        """SIGKILL."""
        self._running.close()

    def bytes_of_topics(self) -> bytes:
        """Content of the log's files on disk."""
        return b"".join(path.read_bytes() for path in sorted(self.data.rglob("*.log")))

    def _command(self, program: str, *arguments: object) -> list[str]:
        return ["java", "-Xms128m", "-Xmx384m", "-cp", f"{libraries()}/*", program, *map(str, arguments)]

    def _java(self, program: str, *arguments: object) -> None:
        done = subprocess.run(self._command(program, *arguments), capture_output=True, text=True, timeout=START_S)
        assert done.returncode == 0, done.stdout + done.stderr

    def _properties(self, own: Identity) -> str:
        protocols = {"plain": "PLAINTEXT", "sasl": "SASL_PLAINTEXT", "sasl_tls": "SASL_SSL", "mutual_tls": "SSL", "controller": "PLAINTEXT"}
        listeners = {name: f"{name.upper()}://127.0.0.1:{port}" for name, port in self.ports.items()}
        login = "org.apache.kafka.common.security"
        said = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{self.ports['controller']}",
            "listeners": ",".join(listeners.values()),
            "advertised.listeners": ",".join(listeners.values()),
            "listener.security.protocol.map": ",".join(f"{name.upper()}:{protocol}" for name, protocol in protocols.items()),
            "inter.broker.listener.name": "PLAIN",
            "log.dirs": self.data,
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": own.both,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.authority.certificate,
            "listener.name.mutual_tls.ssl.client.auth": "required",
        }
        for listener in ("sasl", "sasl_tls"):
            plain = f'{login}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
            said[f"listener.name.{listener}.plain.sasl.jaas.config"] = plain
            for bits in (256, 512):
                said[f"listener.name.{listener}.scram-sha-{bits}.sasl.jaas.config"] = f"{login}.scram.ScramLoginModule required;"
        return "".join(f"{name}={value}\n" for name, value in said.items())


@contextmanager
def broker_standing(folder: Path) -> Iterator[Broker]:
    """Up while inside."""
    made = Broker(folder, Authority(folder))
    made.start()
    try:
        yield made
    finally:
        made.kill()
