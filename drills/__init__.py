"""Traffic and attack generators, scenarios: events out. Knows nothing of detectors."""
