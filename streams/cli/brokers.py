"""`tocsin broker`: a Kafka on this machine, for trying things out, until ctrl-C or SIGTERM."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from streams.cli.options import Json
from streams.cli.output import print_json, say
from tocsin.config import Config, RawTopic

if TYPE_CHECKING:
    from streams.brokers import Kind

CHECK_S: Final = 1.0

RAW = Annotated[list[str], typer.Option("--topic", help="A producers' topic to create; repeat for more.")]


def embedded(topic: RAW = ["ml.inference.v1"], as_json: Json = False) -> None:  # noqa: B006 - typer copies its defaults
    """Run the embedded broker: no Java, forgets everything; ends with 71 when a reader falls behind 5 MB."""
    _run("embedded", Config(topic=tuple(RawTopic(name) for name in topic)), as_json)


def kafka(
    home: Annotated[Path | None, typer.Option(help="Keep data here; a temporary directory otherwise.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 9092,
    topic: RAW = ["ml.inference.v1"],  # noqa: B006 - as above
    as_json: Json = False,
) -> None:
    """Run a real Apache Kafka with Tocsin's topics; needs Java 17 and Maven, downloads 43 MB the first time."""
    _run("kafka", Config(topic=tuple(RawTopic(name) for name in topic)), as_json, home, port)


def _run(kind: Kind, config: Config, as_json: bool, home: Path | None = None, port: int = 0) -> None:
    """Runs a broker, says where it is and waits for a signal, or for the broker to drop what must still be read."""
    from streams.brokers import open_broker

    stop = threading.Event()
    with open_broker(kind, config, home, port) as broker:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        bootstrap = broker.config.kafka.brokers
        if as_json:
            print_json({"brokers": bootstrap})
        else:
            what = {"embedded": "embedded broker", "kafka": "Apache Kafka"}[kind]
            say(f"{what} listens on {bootstrap}; TOCSIN_KAFKA_BROKERS={bootstrap} leads every command to it. Ctrl-C ends it.")
        while not stop.wait(CHECK_S):
            broker.check()
