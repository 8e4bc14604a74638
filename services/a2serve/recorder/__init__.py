"""The recorder: reads what the services tell (Kafka) and keeps it in SQL, each record once."""
