"""Signed records: what is accepted, and that nothing else is."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest

from alerts.signing import Keyring, canonical, sign
from tests.helpers.people import NOW, private, ring, trusted
from tocsin.errors import SignatureError
from tocsin.trust import Purpose

PAYLOAD = {"action": "set", "seq": 3, "share": 0.25, "whom": "Zoë", "none": None, "list": [1, True]}
RECORD = sign(PAYLOAD, Purpose.STATEMENT, private("ana"))


def reason(data: bytes, keys: Keyring | None = None, purpose: Purpose = Purpose.STATEMENT, now: int = NOW) -> str:
    with pytest.raises(SignatureError) as error:
        (keys or ring()).open(data, purpose, now)
    return str(error.value)


def test_what_was_signed_is_what_is_read() -> None:
    payload, key = ring().open(RECORD, Purpose.STATEMENT, NOW)
    assert payload == PAYLOAD
    assert key.owner == "ana"


def test_signing_again_gives_the_same_bytes() -> None:
    assert sign(dict(reversed(PAYLOAD.items())), Purpose.STATEMENT, private("ana")) == RECORD


def test_a_key_nobody_listed_is_refused() -> None:
    assert "not in the list" in reason(RECORD, ring("ben"))


def test_a_key_for_another_purpose_is_refused_though_the_signature_fits() -> None:
    assert "for tocsin.command.v1" in reason(RECORD, Keyring([trusted("ana", Purpose.COMMAND)]))


def test_a_signature_for_another_purpose_does_not_fit() -> None:
    as_command = sign(PAYLOAD, Purpose.COMMAND, private("ana"))
    assert "does not fit" in reason(as_command)


@pytest.mark.parametrize(
    ("validity", "word"),
    [({"not_before": NOW + 1}, "valid at"), ({"not_after": NOW}, "valid at"), ({"revoked": NOW}, "revoked")],
)
def test_a_key_outside_its_time_or_revoked_is_refused(validity: dict[str, Any], word: str) -> None:
    assert word in reason(RECORD, Keyring([trusted("ana", **validity)]))


def test_a_key_that_claims_somebody_elses_id_is_refused() -> None:
    record = json.loads(RECORD)
    record["key"] = json.loads(sign(PAYLOAD, Purpose.STATEMENT, private("ben")))["key"]
    assert "does not fit" in reason(canonical(record))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b'{"payload":{},"key":"","signature":""}x',
        b'{"key":"","payload":{},"payload":{},"signature":""}',
        b'{"key":"","payload":{"a":NaN},"signature":""}',
        b'{"key":"","payload":{"a":1e400},"signature":""}',
        b'{"key":"","payload":{"a":9007199254740993},"signature":""}',
        b'{"key":1,"payload":{},"signature":""}',
        b'{"key":"","payload":[],"signature":""}',
        b'{"extra":1,"key":"","payload":{},"signature":""}',
        b"\xff\xfe",
        b"[" * 60_000,
        b" " * 70_000,
    ],
    ids=range(14),
)
def test_what_is_no_signed_record_is_refused_with_a_reason(data: bytes) -> None:
    assert reason(data)


def test_another_form_of_the_same_json_is_refused() -> None:
    assert "canonical" in reason(json.dumps(json.loads(RECORD), indent=1).encode())


def test_what_has_no_canonical_form_is_not_signed() -> None:
    for value in (float("nan"), 1 << 60, "\ud800"):
        with pytest.raises(SignatureError):
            sign({"value": value}, Purpose.STATEMENT, private("ana"))


@pytest.mark.parametrize("purpose", Purpose)
def test_ten_thousand_forged_or_changed_records_are_all_refused(purpose: Purpose) -> None:
    rng, keys, refused = np.random.default_rng(1), Keyring([trusted("ana", purpose)]), 0
    genuine = sign(PAYLOAD, purpose, private("ana"))
    for number in range(10_000):
        changed = bytearray(genuine)
        match number % 5:
            case 0:  # a bit
                changed[rng.integers(len(changed))] ^= 1 << int(rng.integers(8))
            case 1:  # a byte too many
                changed.insert(int(rng.integers(len(changed))), int(rng.integers(256)))
            case 2:  # a byte too few
                del changed[int(rng.integers(len(changed)))]
            case 3:  # another payload under the same signature
                record = json.loads(genuine)
                record["payload"]["seq"] = int(rng.integers(4, 1 << 50))
                changed = bytearray(canonical(record))
            case 4:  # the same payload under a signature that was made up
                record = json.loads(genuine)
                record["signature"] = base64.b64encode(rng.bytes(64)).decode()
                changed = bytearray(canonical(record))
        assert bytes(changed) != genuine
        try:
            keys.open(bytes(changed), purpose, NOW)
        except SignatureError:
            refused += 1
    assert refused == 10_000
