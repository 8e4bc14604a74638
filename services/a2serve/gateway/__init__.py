"""The gateway: sessions over the Realtime socket and REST, in front of inference. Never torch, never a2llm."""
