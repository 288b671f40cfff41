"""Configuration file: what is read, where each value comes from, and what each mistake is told."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from streams.config_checks import warnings
from streams.config_file import ENVIRONMENT, load, load_with_origins, unknown_variables
from tocsin.config import Config
from tocsin.errors import ConfigError

MINIMAL = '[kafka]\nbrokers = "127.0.0.1:9092"\n[[topic]]\nname = "ml.inference.v1"\nformat = "canonical"\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tocsin.toml"


def refusal(path: Path, text: str, env: dict[str, str] | None = None) -> str:
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load(path, env or {})
    message = str(refused.value)
    assert "\n" not in message
    return message.replace(str(path), path.name)


def test_brokers_and_one_topic_are_enough(path: Path) -> None:
    path.write_text(MINIMAL)
    config = load(path, {})
    assert config.topic[0].name == "ml.inference.v1"
    assert config.detection == Config().detection


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[kafka]\nbrokers = 3", "tocsin.toml: kafka.brokers: expected str, got int"),
        ("kafka = 3", "tocsin.toml: kafka: expected object, got int"),
        ('[kafka]\nbrokes = "a:1"', "tocsin.toml: kafka.brokes: unknown key; did you mean 'brokers'?"),
        ("shrads = 3", "tocsin.toml: shrads: unknown key; known: kafka, topic,"),
        (
            '[[topic]]\nname = "a"\n[[topic]]\nname = "b"\nfromat = "json"',
            "topic[1].fromat: unknown key; did you mean 'format'?",
        ),
        ("[[topic]]\n", "tocsin.toml: topic[0].name: must be set"),
        ('[kafka]\nsecurity = "TLS"', "tocsin.toml: kafka.security: invalid enum value 'TLS'"),
        ('[kafka]\nbrokers = "a"\nbrokers = "b"', "tocsin.toml: not TOML: "),
        ("[kafka", "tocsin.toml: not TOML: Expected ']'"),
        ('[kafka]\nbrokers = "kafka"', "tocsin.toml: kafka.brokers: expected host:port, separated by commas; got 'kafka'"),
        ("[detection]\nshards = 0", "tocsin.toml: detection.shards: expected 1 to 256; got 0"),
        ("[detection]\nshards = 257", "tocsin.toml: detection.shards: expected 1 to 256; got 257"),
        ("[detection]\nshards = true", "tocsin.toml: detection.shards: expected int, got bool"),
        ("[detection]\nalerts_per_model_month = -1", "detection.alerts_per_model_month: expected more than 0"),
        ("[detection]\nalerts_fleet_month = nan", "detection.alerts_fleet_month: expected more than 0"),
        ('[detection]\ndisabled = ["adwinn"]', "tocsin.toml: detection.disabled[0]: expected one of"),
        (
            "[http]\nintake_port = 70000",
            "tocsin.toml: http.intake_port: expected -1 (off), 0 (any free one) or a port; got 70000",
        ),
        ('[[topic]]\nname = "a b"', "tocsin.toml: topic[0].name: expected 1 to 249 letters"),
        ('[[topic]]\nname = "a"\n[[topic]]\nname = "a"', "tocsin.toml: topic[1].name: expected each topic once"),
        ('[[topic]]\nname = "tocsin.frames.v1"', "topic[0].name: expected a producers' topic"),
        ('[[topic]]\nname = "a"\nformat = "avro"', "tocsin.toml: topic[0].format: expected sniff, canonical, json"),
        ('[[topic]]\nname = "a"\nformat = "json"', 'tocsin.toml: topic[0].fields: format = "json" needs a mapping'),
        ('[[topic]]\nname = "a"\nformat = "json"\nfields = { who = "x" }', "topic[0].fields.who: expected one of event_id"),
        ('[[topic]]\nname = "a"\nfields = { caller = "x" }', 'topic[0].fields: expected with format = "json" only'),
        ('[[topic]]\nname = "a"\nmodel = "x@@"', "tocsin.toml: topic[0].model: expected namespace/name@version"),
        ('[kafka]\nsecurity = "SASL_SSL"', "needs TOCSIN_KAFKA_USERNAME and TOCSIN_KAFKA_PASSWORD"),
        ('[kafka]\nusername = "ana"\npassword = "x"', "tocsin.toml: kafka.security: expected SASL_SSL or SASL_PLAINTEXT"),
        ('clock = "wall"', "tocsin.toml: clock: invalid enum value 'wall'"),
        ('instance = "a/b"', "tocsin.toml: instance: expected 1 to 100 letters"),
    ],
)
def test_a_mistake_is_told_by_file_key_wanted_and_got(path: Path, text: str, message: str) -> None:
    assert message in refusal(path, text)


def test_a_variable_wins_over_the_file_and_is_named_as_origin(path: Path) -> None:
    path.write_text(MINIMAL)
    loaded = load_with_origins(path, {"TOCSIN_KAFKA_BROKERS": "kafka:29092", "TOCSIN_HTTP_INTAKE_PORT": "0"})
    assert loaded.config.kafka.brokers == "kafka:29092"
    assert loaded.config.http.intake_port == 0
    assert loaded.origins["kafka.brokers"] == "TOCSIN_KAFKA_BROKERS"
    assert loaded.origins["topic"] == "file"
    assert "detection.shards" not in loaded.origins


def test_a_wrong_variable_is_named_instead_of_the_file(path: Path) -> None:
    assert refusal(path, MINIMAL, {"TOCSIN_HTTP_INTAKE_PORT": "many"}) == "TOCSIN_HTTP_INTAKE_PORT: expected int, got 'many'"
    assert refusal(path, MINIMAL, {"TOCSIN_KAFKA_BROKERS": "x"}).startswith("TOCSIN_KAFKA_BROKERS: expected host:port")


def test_a_password_in_an_address_is_not_repeated(path: Path) -> None:
    assert "secret" not in refusal(path, '[kafka]\nbrokers = "ana:secret@kafka:9092"')


def test_every_variable_sets_a_key_that_exists_and_is_text_or_a_whole_number() -> None:
    for key in filter(None, ENVIRONMENT.values()):
        value: object = Config()
        for part in key.split("."):
            value = getattr(value, part)
        assert isinstance(value, str | int), key


def test_a_variable_nobody_reads_is_reported_with_the_near_match() -> None:
    env = {"TOCSIN_KAFKA_BROKER": "x", "HOME": "/", "TOCSIN_KEY": "x"}
    assert list(unknown_variables(env)) == ["TOCSIN_KAFKA_BROKER: no such variable; did you mean TOCSIN_KAFKA_BROKERS?"]


def test_paths_start_at_the_file_wherever_the_process_does(path: Path) -> None:
    path.write_text(MINIMAL + '[privacy]\nuser = "clear"\n')
    config = load(path, {"TOCSIN_KEY_FILE": "/etc/tocsin.key"})
    assert config.key_file == "/etc/tocsin.key"
    assert Path(config.data_dir) == path.parent / ".tocsin"
    assert config.kafka.ca_file == ""


def test_files_that_are_no_configuration_are_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file; `tocsin init` writes one"):
        load(path, {})
    with pytest.raises(ConfigError, match="expected a regular file"):
        load(tmp_path, {})
    os.mkfifo(path)
    with pytest.raises(ConfigError, match="expected a regular file"):
        load(path, {})
    path.unlink()
    path.write_bytes(b'instance = "\xff"')
    with pytest.raises(ConfigError, match="expected UTF-8, found byte 0xff at 12"):
        load(path, {})
    path.write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(ConfigError, match="expected at most 1048576 bytes"):
        load(path, {})


def test_what_is_allowed_and_risky_is_said() -> None:
    plain = Config()
    remote = msgspec.structs.replace(
        plain, kafka=msgspec.structs.replace(plain.kafka, brokers="127.0.0.1:1,kafka.internal:9092")
    )
    said = list(warnings(remote))
    assert any("PLAINTEXT to kafka.internal:9092" in line for line in said)
    assert not any("PLAINTEXT" in line for line in warnings(plain))


def test_whatever_an_ill_meaning_file_holds_the_answer_is_a_configuration_error(path: Path) -> None:
    for text in ("[topic]\nname='a'", "topic = ['a']", "topic = [[1]]", "kafka = [1]", "[[kafka]]", "\0"):
        refusal(path, text, {"TOCSIN_KAFKA_BROKERS": "a:1"})
