"""Benchmarks: what an event costs here, and what it costs the way one would write it today. `make bench`."""
