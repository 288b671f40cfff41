"""What a team would write today: one event per Kafka message, River's detectors inside. Each file runs in its own process."""
