"""The embedded broker: librdkafka's mock cluster, in this process, for the demo and for quick tests.

It speaks Kafka's real protocol on a loopback port, groups included, so that stock clients (Faust too) work with it from any
process; it needs no Java. What it is not: it forgets everything with its process, keeps at most 5 MB or 100,000 records per
partition, and knows no compaction, ACLs, topic settings or topic ids. A topic that is asked for by name comes into being
with 4 partitions, whatever was wanted; therefore every topic must be created here, before any client connects.

The wheel of confluent-kafka contains the mock cluster but shows Python only a switch that cannot choose partition counts;
so its C functions are called directly. Loading the extension module itself finds the librdkafka that belongs to it.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

from confluent_kafka import cimpl

from streams.positions import lost_positions
from tocsin.config import Kafka
from tocsin.errors import BrokerError, ConfigError, HoleError

_PRODUCER: Final = 0  # RD_KAFKA_PRODUCER
_TEXT: Final = 512
_POINTER: Final = ctypes.c_void_p
_STRING: Final = ctypes.c_char_p
_INT: Final = ctypes.c_int

# name -> (result, arguments), as rdkafka.h and rdkafka_mock.h declare them.
_SIGNATURES: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "rd_kafka_conf_new": (_POINTER, ()),
    "rd_kafka_conf_set": (_INT, (_POINTER, _STRING, _STRING, _STRING, ctypes.c_size_t)),
    "rd_kafka_new": (_POINTER, (_INT, _POINTER, _STRING, ctypes.c_size_t)),
    "rd_kafka_destroy": (None, (_POINTER,)),
    "rd_kafka_mock_cluster_new": (_POINTER, (_POINTER, _INT)),
    "rd_kafka_mock_cluster_destroy": (None, (_POINTER,)),
    "rd_kafka_mock_cluster_bootstraps": (_STRING, (_POINTER,)),
    "rd_kafka_mock_topic_create": (_INT, (_POINTER, _STRING, _INT, _INT)),
}


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(cimpl.__file__)
    for name, (result, arguments) in _SIGNATURES.items():
        try:
            function = getattr(library, name)
        except AttributeError as error:
            raise ConfigError(f"embedded broker: this build of confluent-kafka must contain {name}; it does not") from error
        function.restype, function.argtypes = result, list(arguments)
    return library


class EmbeddedBroker:
    """A mock cluster of one broker, alive between entry and exit of the context.

    Attributes:
        topics: name → partitions, all created before anyone can connect.
        bootstrap: the address that clients connect to, "" before entry.
    """

    def __init__(self, topics: Mapping[str, int]) -> None:
        """Prepares a broker with these topics."""
        self.topics = dict(topics)
        self.bootstrap = ""
        self._library = _library()
        self._client: int | None = None
        self._cluster: int | None = None
        # The C API does not promise that a cluster may be changed and destroyed at once.
        self._lock = threading.Lock()

    @property
    def kafka(self) -> Kafka:
        """How to reach it."""
        return Kafka(brokers=self.bootstrap)

    def create_topic(self, name: str, partitions: int) -> None:
        """Adds a topic; nobody may have asked the broker for it before.

        Raises:
            BrokerError: the topic exists, or the broker is not running.
        """
        with self._lock:
            code = self._library.rd_kafka_mock_topic_create(self._running(), name.encode(), partitions, 1)
        if code != 0:
            raise BrokerError(f"embedded broker: topic {name!r} must be new and have at least 1 partition; error {code}")
        self.topics[name] = partitions

    def check(self, groups: Mapping[str, Sequence[str]]) -> None:
        """Proves that no consumer group has lost records to the 5 MB limit.

        Args:
            groups: consumer group → the topics it reads.

        Raises:
            HoleError: a committed position lies below the start of its log.
        """
        for group, topics in groups.items():
            for lost in lost_positions(self.kafka, group, topics):
                raise HoleError(
                    f"embedded broker: {lost.topic}-{lost.partition} keeps 5 MB or 100,000 records; group {group} must read on "
                    f"at offset {lost.position} but the log now starts at {lost.start}: use a real Kafka for this load"
                )

    def _running(self) -> int:
        if self._cluster is None:
            raise BrokerError("embedded broker: it must be running; enter its context first")
        return self._cluster

    def __enter__(self) -> Self:
        """Starts the cluster and creates the topics."""
        library, text = self._library, ctypes.create_string_buffer(_TEXT)
        settings = library.rd_kafka_conf_new()
        # A client without brokers would say so on stderr; this one exists only to own the cluster.
        library.rd_kafka_conf_set(settings, b"log_level", b"0", text, _TEXT)
        self._client = library.rd_kafka_new(_PRODUCER, settings, text, _TEXT)
        if not self._client:
            raise BrokerError(f"embedded broker: librdkafka refused to start: {text.value.decode(errors='replace')}")
        self._cluster = library.rd_kafka_mock_cluster_new(self._client, 1)
        if not self._cluster:
            self._destroy()
            raise BrokerError("embedded broker: it must be able to listen on 127.0.0.1; librdkafka could not")
        self.bootstrap = library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        try:
            for name, partitions in self.topics.items():
                self.create_topic(name, partitions)
        except BaseException:
            self._destroy()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Ends the cluster; its records are gone."""
        self._destroy()

    def _destroy(self) -> None:
        with self._lock:
            if self._cluster:
                self._library.rd_kafka_mock_cluster_destroy(self._cluster)
            if self._client:
                self._library.rd_kafka_destroy(self._client)
            self._cluster = self._client = None
            self.bootstrap = ""
