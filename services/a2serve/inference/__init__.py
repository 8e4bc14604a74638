"""The avatar model as a service: one gRPC servicer around a2llm. The only part of a2serve that computes with it.

A request goes through wire -> servicer -> engine_client (admission) -> engine_host (the thread) -> engine_core (sessions, scheduler)
-> a2llm.engine, and back; ears hears, face makes the idle face, host is the process.
"""
