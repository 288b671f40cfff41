"""The fold around triage: bytes in, records to the right topics and partitions out."""

from __future__ import annotations

import orjson
import pytest

from streams.stage.machine import Send
from streams.topics import TOPICS, partition_of
from streams.triage import TriageFold
from tests.helpers.signals import HOUR, MINUTE, T0, fault, loss, probing, signals
from tocsin.codec import pack
from tocsin.config import Config, Kafka
from tocsin.errors import VersionError

WHERE = "tocsin.signals.v1-0@7"


def records(fold: TriageFold, *fired: object, **rest: object) -> list[Send]:
    return list(fold.apply(pack(signals(*fired, **rest)), WHERE).records)  # type: ignore[arg-type]


def test_a_finding_goes_to_both_siem_topics_and_its_proposal_to_the_third() -> None:
    sends = records(TriageFold(Config()), probing())
    assert [send.topic for send in sends] == ["alerts", "alerts_ecs", "proposals"]
    incident = orjson.loads(sends[0].value)["finding_info"]["uid"]
    assert sends[0].key.decode() == sends[1].key.decode() == incident
    assert [send.partition for send in sends] == [
        partition_of("alerts", incident),
        partition_of("alerts_ecs", incident),
        partition_of("proposals", "prod/fraud@7"),
    ]


def test_all_findings_of_an_incident_keep_their_order_in_one_partition() -> None:
    fold = TriageFold(Config())
    sends = records(fold, probing())
    sends += records(fold, probing(), now=T0 + 1_000)
    sends += records(fold, now=T0 + MINUTE)
    sends += records(fold, now=T0 + 3 * HOUR)
    alerts = [send for send in sends if send.topic == "alerts"]
    assert [orjson.loads(send.value)["activity_name"] for send in alerts] == ["Create", "Update", "Close"]
    assert len({(send.partition, send.key) for send in alerts}) == 1


def test_faults_and_losses_reach_the_operators_too() -> None:
    sends = records(TriageFold(Config()), faults=(fault(), fault(model="", detector="ledger")), losses=(loss(),))
    health = [orjson.loads(send.value) for send in sends if send.topic == "health"]
    assert [entry["kind"] for entry in health] == ["disabled_detector", "stalled_source", "telemetry_loss"]
    assert health[0]["detail"] == r"ValueError: no\u000asuch thing"


def test_every_record_goes_to_a_partition_that_exists() -> None:
    sends = records(TriageFold(Config()), *(probing(f"acct-{i}") for i in range(30)), losses=(loss(),))
    for send in sends:
        count = TOPICS[send.topic].partitions
        assert isinstance(count, int)
        assert 0 <= send.partition < count


def test_the_records_do_not_name_the_process_that_wrote_them() -> None:
    one, other = (TriageFold(Config(instance=name)) for name in ("worker-1", "worker-2"))
    assert records(one, probing()) == records(other, probing())


def test_the_topic_prefix_names_the_deployment() -> None:
    sends = records(TriageFold(Config(kafka=Kafka(prefix="acme."))), probing())
    assert dict(sends[0].headers)["host"] == b"acme"
    assert dict(sends[0].headers)["ce_source"] == b"/tocsin/acme"


def test_a_snapshot_restores_the_fold_byte_for_byte() -> None:
    fold, restored = TriageFold(Config()), TriageFold(Config())
    records(fold, probing(), losses=(loss(),))
    assert restored.load(fold.dump()) == []
    assert restored.dump() == fold.dump()
    assert records(restored, probing(), now=T0 + MINUTE) == records(fold, probing(), now=T0 + MINUTE)


def test_a_record_of_another_version_is_refused_with_its_place() -> None:
    with pytest.raises(VersionError, match=WHERE):
        TriageFold(Config()).apply(b"\xc1", WHERE)
