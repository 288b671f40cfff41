"""Signals in, OCSF findings and containment proposals out: incidents, formats, playbook. No numpy, no River, no Kafka."""
