"""What comes in as sound: formats, voice activity, echo, the user's turn."""
