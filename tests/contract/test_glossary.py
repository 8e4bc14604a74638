"""Names, docstrings, comments and pages use one word per thing: docs/glossary.md lists the words and those that are not used."""

from support.glossary import RIDDLES, findings, is_banned, prose_hits


def test_one_word_per_thing() -> None:
    """Use the glossary's word, or add a word that is needed to its table."""
    assert [f"{path}:{hit}" for path, hit in findings()] == []


def test_the_table_is_read() -> None:
    assert is_banned("reply_options") and is_banned("ReplyOptions") and is_banned("Heard")
    assert is_banned("EngineReply") and not is_banned("heard") and not is_banned("ready")
    assert prose_hits("The reply is kept; `reply` is a name.") == ["reply"]


def test_a_docstring_begins_with_its_subject_or_verb() -> None:
    assert RIDDLES.match("What the model was asked.") and RIDDLES.match("Of one cell.")
    assert not RIDDLES.match("Asks the model.") and not RIDDLES.match("Offset of the frame.")
