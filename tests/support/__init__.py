"""Servers to start, small models, readers of the chart and made-up input, for tests and benchmarks. No test is here."""
