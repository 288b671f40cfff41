"""The stage protocol: at-least-once input, effectively-once state, idempotent output. `machine.py` is its pure half."""
