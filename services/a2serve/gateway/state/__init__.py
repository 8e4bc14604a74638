"""State that outlives a process: Redis, and the outbox to Kafka."""
