"""Listening: the user's sound -> words, voice activity and how it was said. Start with `listener.Listener`."""
