"""Third hop: decides whose turn it is. A pure state machine; imports nothing of a session."""
