"""What the detectors see and what they raise for nothing, measured on simulated and public data."""
