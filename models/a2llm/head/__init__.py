"""Heads as geometry: glTF files as arrays, and vertices in millimetres. It draws nothing."""
