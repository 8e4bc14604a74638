"""A2-LLM Serve: the services around the model (contracts, gateway, inference, recorder, telemetry).

Nothing here computes: torch and a2llm are imported by `a2serve.inference` alone.
"""
