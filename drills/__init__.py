"""Drills: traffic and attacks made from a seed. Produces events and the truth about them; knows nothing of detectors."""
