"""The motion of the face on its way out: of a response, and of the idle face between responses."""
