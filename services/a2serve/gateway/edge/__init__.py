"""Where bytes come in: bounds of requests, bodies and sockets, and every error as one kind of answer."""
