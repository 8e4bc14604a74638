"""First hop of a spoken question: how a session is reached, by a WebSocket or, for one turn, by REST."""
