"""Words -> phones while the words arrive: the same as all at once, and no later than needed."""

import pytest
from support.models import tiny

from a2llm.data.dialogues import load_dialogues
from a2llm.talker.phones import PhoneStream, align_words, split_sentences


def spell(text: str) -> str:
    """A reading that depends on nothing: every word its own letters."""
    return text.lower()


def stream(g2p=spell) -> PhoneStream:
    return PhoneStream(g2p, tiny.phones())


def said(phones: PhoneStream) -> str:
    symbols = phones.table.symbols()
    return "".join(symbols[p] for p in phones.phones)


def push_all(phones: PhoneStream, text: str) -> PhoneStream:
    for word in text.split():
        phones.push_word(word)
    phones.end()
    return phones


def test_a_word_waits_for_its_successor_only():
    phones, heard = stream(), []
    for word in ["tell", "me", "more.", "and", "then?"]:
        phones.push_word(word)
        heard.append(said(phones))
    assert heard == ["", "tell", "tell me more.", "tell me more.", "tell me more. and then?"]


def test_the_end_releases_what_is_left():
    phones = push_all(stream(), "no full stop")
    assert phones.ended
    assert said(phones) == "no full stop"
    assert phones.words == [0, 0, *[1] * 5, *[2] * 5]  # a space belongs to the word behind it


@pytest.mark.parametrize("words", [[], ["❄"]])
def test_a_response_without_phones_is_a_breath(words: list[str]):
    phones = push_all(stream(), " ".join(words))
    assert (said(phones), phones.words) == (" ", [0])


def test_sentences_are_cut_as_the_stream_cuts():
    assert split_sentences('One two. "Really?" Yes (no.) ok') == [["One", "two."], ['"Really?"'], ["Yes", "(no.)"], ["ok"]]


@pytest.mark.parametrize(
    ("phones", "words", "owner"),
    [("ab cd", 2, [0, 0, 1, 1, 1]), ("ab", 2, [0, 0]), ("a b c", 2, [0, 0, 0, 1, 1]), ("", 1, []), ("a b", 1, [0, 0, 0])],
)
def test_phones_belong_to_words(phones: str, words: int, owner: list[int]):
    assert align_words(phones, words) == owner


def whole(text: str) -> tuple[str, list[int]]:
    """All at once, as the training data is made."""
    symbols, owners, first = [], [], 0
    for words in split_sentences(text):
        part = "".join(s for s in tiny.g2p()(" ".join(words)).strip() if s in tiny.phones().ids)
        owners += [first] * bool(symbols) + [first + w for w in align_words(part, len(words))]
        symbols.append(part)
        first += len(words)
    return " ".join(symbols), owners


def test_the_real_reading_is_the_same_word_by_word():
    responses = [e.response for d in load_dialogues() for e in d.exchanges][::40]
    different = []
    for response in responses:
        phones = push_all(stream(tiny.g2p()), response)
        assert phones.words == sorted(phones.words)
        different += [response] * ((said(phones), phones.words) != whole(response))
    assert len(different) <= 0.02 * len(responses), different
