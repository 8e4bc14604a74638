"""Transport between a session and its connection: the queue of events on their way out."""
