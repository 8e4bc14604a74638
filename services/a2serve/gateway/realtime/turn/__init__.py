"""Third hop: who has the turn. A pure state machine; imports nothing of a session."""
