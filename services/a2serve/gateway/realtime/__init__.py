"""A conversation on a socket: session, turns, responses, what is sent and when."""
