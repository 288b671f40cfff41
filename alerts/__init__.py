"""Incidents, findings, formats, playbook: signals in, OCSF findings and containment proposals out. No numpy, no River, no Kafka."""
