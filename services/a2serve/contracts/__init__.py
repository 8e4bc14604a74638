"""The wire: events (JSON), packets (binary media), records (Kafka), proto (gRPC). Imports nothing of ours."""
