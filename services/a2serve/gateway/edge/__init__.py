"""The gateway's outer edge: bounds of requests, bodies and sockets, and every error as one kind of response."""
