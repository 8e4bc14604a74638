"""Text <-> token ids of the backbone, and the ids that have a meaning of their own."""

from pathlib import Path

from tokenizers import Tokenizer


class TextTokenizer:
    """Wraps the `tokenizer.json` of a backbone folder."""

    def __init__(self, folder: Path) -> None:
        file = folder / "tokenizer.json"
        if not file.exists():
            raise ValueError(f"{folder} has no tokenizer.json")
        self._tokenizer = Tokenizer.from_file(str(file))
        self.turn_start = self._id("<|im_start|>")
        self.turn_end = self._id("<|im_end|>")

    def _id(self, token: str) -> int:
        found = self._tokenizer.token_to_id(token)
        if found is None:
            raise ValueError(f"the backbone's tokenizer lacks {token}: a ChatML vocabulary is needed")
        return found

    def encode(self, text: str) -> list[int]:
        """Ids of plain text; the markers of turns are never produced from user text."""
        return self._tokenizer.encode(text.replace("<|", "< |"), add_special_tokens=False).ids

    def definition(self) -> str:
        """The tokenizer's whole definition, as `tokenizer.json` holds it."""
        return self._tokenizer.to_str()

    def word_ends(self, ids: list[int]) -> list[int]:
        """Place of the last token of every word; a word begins where a token begins with a space."""
        starts = [i for i, token in enumerate(ids) if i == 0 or self.decode([token])[:1].isspace()]
        return [*(i - 1 for i in starts[1:]), len(ids) - 1] if ids else []

    def decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=True)
