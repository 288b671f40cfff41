"""The SIEM examples against the code: topics, headers and field names must be those that Tocsin really writes."""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.formats import FORMATS, INDEX, encode, headers
from alerts.history import dig
from alerts.triage import Triage
from streams.topics import TOPICS
from tests.helpers.signals import caller, golden, probing, shifted, signals, sweep
from tocsin.config import Privacy

HERE = Path(__file__).parents[2] / "integrations"


def findings(format_name: str) -> Any:
    """Returns one finding about a caller by IP, so that every field the examples name is there."""
    found = Triage(Privacy()).apply(signals(probing(caller("203.0.113.42", "ip"))))[0]
    return json.loads(encode(format_name, found))


def conf(name: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(delimiters=("=",), strict=True)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(HERE / "splunk" / name)
    return parser


def test_the_splunk_collector_reads_the_ocsf_topic_and_the_headers_we_write() -> None:
    config = yaml.safe_load((HERE / "splunk/otel-collector.yaml").read_text())
    receiver, exporter = config["receivers"]["kafka"], config["exporters"]["splunk_hec"]
    found = Triage(Privacy()).apply(signals(probing()))[0]
    written = dict(headers("ocsf", found, "tocsin"))

    assert receiver["logs"]["topics"] == [TOPICS[FORMATS["ocsf"].topic].name]
    assert set(receiver["header_extraction"]["headers"]) <= set(written)
    assert exporter["otel_attrs_to_hec_metadata"] == {
        name: f"kafka.header.{name}" for name in receiver["header_extraction"]["headers"]
    }
    assert written["index"] == INDEX.encode()
    for pipeline in config["service"]["pipelines"].values():
        for role in ("receivers", "processors", "exporters"):
            assert set(pipeline[role]) <= set(config[role])


def test_every_field_the_splunk_props_name_is_in_a_finding() -> None:
    finding = findings("ocsf")
    props = conf("props.conf")
    assert props.sections() == [FORMATS["ocsf"].sourcetype]
    aliases = {key: value for key, value in props[FORMATS["ocsf"].sourcetype].items() if key.startswith("FIELDALIAS-")}
    for value in aliases.values():
        path = value.split(" AS ")[0]
        steps: list[str | int] = []
        for step in path.split("."):
            steps += [step.removesuffix("{}"), 0] if step.endswith("{}") else [step]
        assert dig(finding, *steps) is not None, path


def test_the_splunk_event_type_and_search_name_our_sourcetype() -> None:
    event_types = conf("eventtypes.conf")
    assert FORMATS["ocsf"].sourcetype in event_types["tocsin_finding"]["search"]
    assert conf("tags.conf").sections() == ["eventtype=tocsin_finding"]
    search = conf("savedsearches.conf")["Tocsin: open incidents"]["search"]
    assert "eventtype=tocsin_finding" in search
    ours = {value.split(" AS ")[1] for key, value in conf("props.conf")[FORMATS["ocsf"].sourcetype].items() if " AS " in value}
    assert set(re.findall(r"latest\((\w+)\)", search)) <= ours | {"status", "severity", "message", "count"}


def test_the_optional_fields_of_the_elastic_template_are_those_of_a_finding_with_a_baseline() -> None:
    template = json.loads((HERE / "elastic/index-template.json").read_text())
    found = [json.loads(encode("ecs", f)) for f in Triage(Privacy()).apply(signals(sweep(), golden(evidence=shifted(100.0))))]
    labels = set(template["template"]["mappings"]["properties"]["labels"]["properties"])
    assert {"baseline", "pattern", "proposal"} <= {name for document in found for name in document["labels"]} <= labels


def test_filebeat_reads_the_ecs_topic_into_the_pipeline_and_index_we_ship() -> None:
    config = yaml.safe_load((HERE / "elastic/filebeat.yml").read_text())
    template = json.loads((HERE / "elastic/index-template.json").read_text())
    (source,) = config["filebeat.inputs"]
    assert source["topics"] == [TOPICS[FORMATS["ecs"].topic].name]
    assert config["output.elasticsearch"]["pipeline"] == template["template"]["settings"]["index.default_pipeline"]
    (pattern,) = template["index_patterns"]
    assert config["output.elasticsearch"]["index"].startswith(pattern.removesuffix("*"))


def test_the_elastic_pipeline_takes_the_record_uid_as_document_id() -> None:
    pipeline = json.loads((HERE / "elastic/ingest-pipeline.json").read_text())
    source = next(step["set"]["copy_from"] for step in pipeline["processors"] if dig(step, "set", "field") == "_id")
    assert dig(findings("ecs"), *source.split(".")) == findings("ocsf")["metadata"]["uid"]


@pytest.mark.parametrize("path", ["@timestamp", "event", "labels", "message", "related", "source"])
def test_every_field_the_elastic_template_maps_is_one_we_write(path: str) -> None:
    template = json.loads((HERE / "elastic/index-template.json").read_text())
    optional = {"baseline", "pattern", "proposal", "verdict", "user"}
    assert path in findings("ecs")
    for name in template["template"]["mappings"]["properties"][path].get("properties", {}):
        assert name in findings("ecs")[path] or name in optional, f"{path}.{name}"
