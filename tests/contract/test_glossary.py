"""Names, docstrings, comments and pages use one word per thing: docs/glossary.md lists the words and those that are not used."""

import pytest
from support.glossary import findings, is_banned, prose_hits

# Areas that are not rewritten yet. The list only shrinks: an area without a finding leaves it.
NOT_YET: tuple[str, ...] = (
    "services/a2serve/gateway",
    "services/a2serve/inference",
    "tests",
)


def within(path: str, area: str) -> bool:
    """True if the file is the area or lies in it."""
    return path == area or path.startswith(f"{area}/")


def test_one_word_per_thing() -> None:
    """Use the glossary's word, or add a word that is needed to its table."""
    assert [f"{path}:{hit}" for path, hit in findings() if not any(within(path, area) for area in NOT_YET)] == []


@pytest.mark.parametrize("area", NOT_YET)
def test_an_area_without_findings_leaves_the_list(area: str) -> None:
    assert any(within(path, area) for path, _ in findings()), f"{area} is done: take it off NOT_YET"


def test_the_table_is_read() -> None:
    assert is_banned("reply_options") and is_banned("ReplyOptions") and is_banned("Heard")
    assert not is_banned("EngineReply") and not is_banned("heard") and not is_banned("ready")
    assert prose_hits("The reply is kept; `reply` is a name.") == ["reply"]
