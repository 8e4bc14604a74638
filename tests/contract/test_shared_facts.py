"""Facts that two packages hold because neither may import the other are equal, and help texts name every choice."""

from typing import get_args

import pytest

from a2llm.affect import AFFECTS
from a2llm.cli.arguments import AFFECT_HELP, PERSONA_HELP, RIG_HELP
from a2llm.clock import MOTION_RATES_HZ
from a2llm.language.chat import personas
from a2llm.messages.results import USUAL_RATE_HZ
from a2llm.rig import RIGS
from a2serve.contracts.media_clock import RATE_HZ
from a2serve.contracts.session_config import AudioPcm, MotionConfig


def choices(field: str) -> set[object]:
    """Values that a field of MotionConfig may take."""
    return set(get_args(MotionConfig.model_fields[field].annotation))


def test_the_contract_offers_the_rigs_that_there_are():
    assert choices("rig") == set(RIGS)


def test_the_contract_offers_the_rates_that_motion_is_made_at():
    assert choices("fps") == set(MOTION_RATES_HZ)


def test_the_rate_of_the_media_clock_is_the_one_that_sessions_may_ask_for():
    assert get_args(AudioPcm.model_fields["rate"].annotation) == (RATE_HZ,) == (AudioPcm().rate,)


def test_a_peer_that_does_not_tell_its_rate_has_the_media_clocks():
    assert USUAL_RATE_HZ == RATE_HZ


@pytest.mark.parametrize(("text", "names"), [(AFFECT_HELP, AFFECTS), (PERSONA_HELP, tuple(personas())), (RIG_HELP, tuple(RIGS))])
def test_help_names_every_choice(text: str, names: tuple[str, ...]):
    assert [name for name in names if name not in text] == []
