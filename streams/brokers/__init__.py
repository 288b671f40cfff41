"""Brokers that Tocsin can bring along: a mock cluster inside this process, or a local Apache Kafka."""
