"""Curator: a process that reads the ledger, builds baselines from first traffic, and says what can be seen of each model."""
