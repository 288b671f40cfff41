"""Detectors and baselines: rows or readings in, numbers out. No I/O, no clock, no Kafka. `registry.py` lists them all."""
