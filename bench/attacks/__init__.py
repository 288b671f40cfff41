"""Attacks on models by their queries, and the ordinary clients they hide among: what the detection benchmark is run on."""
