"""The user's sound on its way in: formats, voice activity, echo, utterances."""
