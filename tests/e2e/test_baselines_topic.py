"""Baselines in a real Kafka."""

from __future__ import annotations

import threading

import msgspec
import pytest

from models.baseline import hash_of
from streams.admin import create_topics
from streams.baselines import chunks
from streams.baselines.topic import KafkaBaselines, publish_baseline
from tests.helpers.baselines import baseline_of
from tests.helpers.frames import FRAUD, rows
from tocsin.config import Config, Kafka
from tocsin.errors import HoleError

pytestmark = pytest.mark.kafka

ONE = baseline_of(rows(range(300)))
TWO = msgspec.structs.replace(ONE, origin="another")


def test_what_was_published_is_found_by_its_hash_and_published_again_it_is_the_same(
    settings: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_topics(Config(kafka=settings))
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 300)
    store = KafkaBaselines(settings)
    names = [publish_baseline(settings, baseline) for baseline in (ONE, TWO, ONE)]
    assert names == [hash_of(ONE), hash_of(TWO), hash_of(ONE)]
    assert [store.get(name) for name in names] == [ONE, TWO, ONE]
    assert store.names() == sorted({*names})
    store.close()


def test_a_miss_waits_for_a_baseline_on_its_way(settings: Kafka) -> None:
    create_topics(Config(kafka=settings))
    store = KafkaBaselines(settings, wait_s=20.0)
    assert store.names() == []
    late = threading.Timer(1.0, publish_baseline, (settings, ONE))
    late.start()
    assert store.get(hash_of(ONE)) == ONE
    late.join()
    store.close()


def test_a_baseline_that_never_comes_is_named_with_its_model_and_topic(settings: Kafka) -> None:
    create_topics(Config(kafka=settings))
    store = KafkaBaselines(settings, wait_s=0.0)
    with pytest.raises(HoleError, match=rf"{settings.prefix}tocsin.baselines.v1: baseline 00ff of {FRAUD} must be there"):
        store.get("00ff", FRAUD)
    store.close()
