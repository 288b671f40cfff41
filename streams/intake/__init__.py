"""Intake: raw Kafka records in, frames out. The only place where what a producer sent is judged."""
