"""Compose file and image, checked against the code: no Docker engine is needed to know that they fit."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.exceptions import TyperException

from streams.brokers.jars import KAFKA_VERSION, class_path
from streams.config_checks import require_topics
from streams.config_file import ENVIRONMENT, load
from streams.key_file import read_key
from tests.e2e.conftest import require_kafka
from tests.helpers.command_line import parse
from tocsin import __version__

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if str(service["image"]).startswith("tocsin")]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
KEY = "ab" * 32


def environment(name: str) -> dict[str, str]:
    """Returns a service's variables as the container sees them when TOCSIN_KEY is set."""
    return {key: re.sub(r"\$\{TOCSIN_KEY:\?[^}]*\}", KEY, str(value)) for key, value in SERVICES[name]["environment"].items()}


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_the_command_line_takes(name: str) -> None:
    assert parse(SERVICES[name]["command"]) == {"topics": "create"}.get(name, name)


def test_the_parser_of_this_test_refuses_what_typer_refuses() -> None:
    for wrong in (["wroker"], ["worker", "--jsn"], ["topics"], ["simulate", "probe", "--rate", "x"]):
        with pytest.raises(TyperException):
            parse(wrong)


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_one_the_configuration_reads(name: str) -> None:
    assert set(environment(name)) <= set(ENVIRONMENT)


@pytest.mark.parametrize("name", OURS)
def test_the_configuration_in_the_file_loads_under_these_variables(name: str, tmp_path: Path) -> None:
    (mount,) = SERVICES[name]["configs"]
    env = environment(name)
    assert mount["target"] == env["TOCSIN_CONFIG"]
    path = tmp_path / "tocsin.toml"
    path.write_text(COMPOSE["configs"][mount["source"]]["content"])
    config = load(path, env)
    require_topics(config)
    assert len(read_key(config, env)) == 32
    assert any(config.data_dir.startswith(folder) for folder in SERVICES[name]["tmpfs"])
    if name in ("intake", "worker", "curator"):
        port = getattr(config.http, f"{name}_port")
        assert SERVICES[name]["ports"] == [f"127.0.0.1:{port}:{port}"]
        assert f"http://127.0.0.1:{port}/readyz" in SERVICES[name]["healthcheck"]["test"][-1]


def test_processes_that_run_for_ever_have_names_of_their_own() -> None:
    names = [environment(name)["TOCSIN_INSTANCE"] for name in ("intake", "worker", "curator")]
    assert len(set(names)) == 3


def test_dependencies_exist_and_can_come_true() -> None:
    for name, service in SERVICES.items():
        for other, wanted in service.get("depends_on", {}).items():
            condition = wanted["condition"]
            assert other in SERVICES, name
            assert condition in ("service_healthy", "service_completed_successfully")
            assert (condition == "service_healthy") == ("healthcheck" in SERVICES[other]), f"{name} waits for {other}"
            assert SERVICES[other].get("profiles", []) in ([], service.get("profiles")), f"{other} may not be started"


def test_the_brokers_address_is_one_that_kafka_advertises() -> None:
    advertised = SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    for name in OURS:
        assert environment(name)["TOCSIN_KAFKA_BROKERS"] in advertised


def test_images_are_pinned_and_ports_stay_on_this_machine() -> None:
    for name, service in SERVICES.items():
        assert re.fullmatch(r"[a-z/]+:\d+\.\d+\.\d+", service["image"]), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    assert SERVICES["worker"]["image"] == f"tocsin:{__version__}"
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"
    assert "version" not in COMPOSE


@pytest.mark.parametrize("name", OURS)
def test_our_containers_can_do_no_more_than_they_must(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_volumes_and_mounts_are_declared() -> None:
    mounted = {mount.partition(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])}
    assert mounted == set(COMPOSE["volumes"])
    (data,) = SERVICES["kafka"]["volumes"]
    assert data.partition(":")[2] == SERVICES["kafka"]["environment"]["KAFKA_LOG_DIRS"]


def test_only_the_demo_needs_a_profile() -> None:
    assert {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service} == {"simulate": ["demo"]}


def test_the_image_runs_the_command_without_root_from_files_that_exist() -> None:
    lines = DOCKERFILE.replace("\\\n", " ").splitlines()
    assert 'ENTRYPOINT ["tocsin"]' in lines
    assert [line for line in lines if line.startswith("USER")] == ["USER 10001:10001"]
    assert all(re.fullmatch(r"FROM python:3\.1\d\.\d+-slim-\w+( AS \w+)?", line) for line in lines if line.startswith("FROM"))
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            for name in line.split()[1:-1]:
                assert (ROOT / name).exists(), name
                assert f"!{name}" in ignored, name


@cache
def kafka_properties() -> frozenset[str]:
    """Returns every property that a Kafka server of our version knows, from the server itself."""
    command = ["java", "-cp", class_path(), "kafka.server.KafkaConfig"]
    page = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return frozenset(re.findall(r'href="#brokerconfigs_([\w.-]+)"', page))


@pytest.mark.kafka
def test_every_kafka_variable_is_a_property_that_kafka_knows() -> None:
    require_kafka()
    for variable in SERVICES["kafka"]["environment"]:
        name = variable.removeprefix("KAFKA_").replace("_", ".").lower()
        assert name in kafka_properties(), variable
