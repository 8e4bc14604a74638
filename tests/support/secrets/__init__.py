"""Attempts to get around what a client secret fixes, and the sockets that they use."""
