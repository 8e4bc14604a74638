"""The recorder: reads records from Kafka and keeps them in SQL, each once."""
