"""Transcribes a recorded question, and counts how much of it was understood."""

import json

from bench.realtime_client import QUESTIONS


def words(text: str) -> set[str]:
    return {"".join(c for c in word if c.isalpha()) for word in text.lower().split()} - {""}


def understood(text: str, question: str) -> bool:
    """Whether `text` holds most words of a recorded question, by its file's name without ending."""
    entries = json.loads((QUESTIONS / "questions.json").read_text())
    asked = words(next(entry["text"] for entry in entries if entry["file"] == f"{question}.flac"))
    return len(words(text) & asked) >= 0.6 * len(asked)
