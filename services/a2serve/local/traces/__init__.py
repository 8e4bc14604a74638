"""The embedded OTLP receiver: spans in, the last turns as waterfalls out. Memory only; a cluster has a collector instead."""
