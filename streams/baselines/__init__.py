"""Baselines: where they are kept, how they come into being, and what they look like to people."""
