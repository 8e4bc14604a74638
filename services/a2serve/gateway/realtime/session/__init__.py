"""Second hop: one client from open to close. Takes its events, keeps its conversation, starts its responses."""
