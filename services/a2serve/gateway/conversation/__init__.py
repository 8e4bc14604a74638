"""A conversation: its items, its words on the clock of the audio, and the log it is stored as."""
