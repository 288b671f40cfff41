"""`tocsin broker`: a Kafka on this machine, for trying things out, until ctrl-C or SIGTERM."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.options import Json
from streams.cli.output import print_json, say
from tocsin.config import Config, RawTopic

RAW = Annotated[list[str], typer.Option("--topic", help="A producers' topic to create; repeat for more.")]


def embedded(topic: RAW = ["ml.inference.v1"], as_json: Json = False) -> None:  # noqa: B006 - typer copies its defaults
    """Run the embedded broker: no Java, forgets everything, keeps 5 MB per partition."""
    from streams.admin import wanted_topics
    from streams.brokers.embedded import EmbeddedBroker

    config = Config(topic=tuple(RawTopic(name) for name in topic))
    with EmbeddedBroker({wanted.name: wanted.partitions for wanted in wanted_topics(config, raw=True)}) as broker:
        _announce("embedded broker", broker.bootstrap, as_json)


def kafka(
    home: Annotated[Path | None, typer.Option(help="Keep data here; a temporary directory otherwise.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 9092,
    topic: RAW = ["ml.inference.v1"],  # noqa: B006 - as above
    as_json: Json = False,
) -> None:
    """Run a real Apache Kafka with Tocsin's topics; needs Java 17 and Maven, downloads 43 MB the first time."""
    from streams.admin import create_topics
    from streams.brokers.local import LocalKafka

    with LocalKafka(home, port=port) as broker:
        create_topics(Config(kafka=broker.kafka, topic=tuple(RawTopic(name) for name in topic)), raw=True)
        _announce("Apache Kafka", broker.bootstrap, as_json)


def _announce(what: str, bootstrap: str, as_json: bool) -> None:
    """Says where the broker is and waits for a signal."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if as_json:
        print_json({"brokers": bootstrap})
    else:
        say(f"{what} listens on {bootstrap}; TOCSIN_KAFKA_BROKERS={bootstrap} leads every command to it. Ctrl-C ends it.")
    while not stop.wait(1.0):
        pass
