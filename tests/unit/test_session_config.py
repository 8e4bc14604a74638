"""Updates replace what they name and nothing else; wrong settings are named."""

import pytest
from pydantic import ValidationError

from a2llm.messages import ModelInfo, Persona
from a2serve.contracts.client_events import ResponseOptions
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.session_config import SessionConfig
from a2serve.gateway.realtime.response.settings import ResponseSettings, answered_with, check_extension, check_tools, check_voice, settle


def patch(**fields) -> SessionConfig:
    return SessionConfig.model_validate({"type": "realtime", **fields})


def settled(config: SessionConfig, options: ResponseOptions) -> ResponseSettings:
    return settle(answered_with(config, options), options)


def test_an_update_keeps_what_it_does_not_name():
    config = SessionConfig().merged_with(patch(instructions="be brief", audio={"input": {"turn_detection": None}}))
    later = config.merged_with(patch(audio={"input": {"transcription": {"model": "x"}}, "output": {"voice": "heart"}}))
    assert later.instructions == "be brief" and later.audio.input.turn_detection is None
    assert later.audio.input.transcription and later.audio.output.voice == "heart"
    assert later.audio.output.format.type == "audio/pcm"


def test_null_clears_what_can_be_off_and_leaves_the_rest():
    config = SessionConfig().merged_with(patch(a2={"motion": {"fps": 60}}, instructions="x"))
    later = config.merged_with(patch(instructions=None, a2={"motion": None}))
    assert later.instructions == "x" and later.a2 and later.a2.motion is None


def test_the_store_gives_the_same_settings_back():
    config = SessionConfig().merged_with(patch(audio={"input": {"turn_detection": None}}, a2={"binary": True}))
    assert SessionConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    "fields",
    [
        {"output_modalities": ["audio", "text"]},
        {"output_modalities": []},
        {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 8000}}}},
        {"audio": {"input": {"format": {"type": "mp3"}}}},
        {"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 2}}}},
        {"a2": {"motion": {"rig": "mine"}}},
        {"a2": {"motoin": {}}},
        {"max_output_tokens": 0},
        {"tools": [{"type": "function", "name": "a b"}]},
        {"tools": [{"type": "function", "name": "a"}, {"type": "function", "name": "a"}]},
        {"type": "transcription"},
        {"modalities": ["audio"]},
    ],
)
def test_wrong_settings(fields):
    with pytest.raises(ValidationError):
        SessionConfig.model_validate({"type": "realtime"} | fields)


def test_tools_must_be_there_to_be_chosen():
    tools = patch(tools=[{"type": "function", "name": "clock"}]).tools
    check_tools(tools, patch(tool_choice={"type": "function", "name": "clock"}).tool_choice)
    for choice in ({"type": "function", "name": "other"},):
        with pytest.raises(Problem):
            check_tools(tools, patch(tool_choice=choice).tool_choice)
    with pytest.raises(Problem):
        check_tools([], "required")


def test_rigs_and_personas_must_be_there():
    info = ModelInfo("r", 24000, 20, 40, {"arkit61": ("jawOpen",)})
    check_extension(patch(a2={"motion": {"rig": "arkit61"}}), info)
    with pytest.raises(Problem) as caught:
        check_extension(patch(a2={"motion": {"rig": "flame58"}}), info)
    assert caught.value.code == Code.RIG_UNAVAILABLE
    with pytest.raises(Problem):
        check_extension(patch(a2={"persona": "nobody"}), info)


def test_affects_must_be_there():
    for info in (None, ModelInfo("r", 24000, 20, 40), ModelInfo("r", 24000, 20, 40, affects=("neutral", "joy"))):
        check_extension(patch(affect={"category": "joy"}), info)
    with pytest.raises(Problem, match="no affect 'hunger' \\(available: neutral, joy\\)") as caught:
        check_extension(patch(affect={"category": "hunger"}), ModelInfo("r", 24000, 20, 40, affects=("neutral", "joy")))
    assert (caught.value.code, caught.value.param) == (Code.INVALID_VALUE, "session.affect.category")


def test_a_response_may_be_otherwise():
    from a2serve.contracts.client_events import ResponseOptions

    config = SessionConfig().merged_with(patch(instructions="a", a2={"motion": {}}))
    own = settled(config, ResponseOptions.model_validate({"output_modalities": ["text"], "instructions": "", "conversation": "none"}))
    assert (own.modality, own.instructions, own.in_conversation, own.motion) == ("text", "", False, None)
    assert settled(config, ResponseOptions()).motion is not None


@pytest.mark.parametrize("voice", ["alloy", "marin", "cedar", {"id": "verse"}, "default"])
def test_a_voice_of_openai_is_the_personas(voice):
    config = SessionConfig().merged_with(patch(audio={"output": {"voice": voice}}))
    assert config.audio.output.voice == "default"
    options = ResponseOptions.model_validate({"audio": {"output": {"voice": voice}}})
    assert settled(SessionConfig(), options).voice == "default"


def test_a_voice_must_be_there():
    info = ModelInfo("r", 24000, 20, 40, {}, (Persona("ada", "be kind", None, "ada", "hibari"),))
    for known in (None, "default", "hibari"):
        check_voice(known, info)
    for unknown in ("zorro", {"name": "zorro"}, ""):
        with pytest.raises(Problem, match="available: default, hibari") as caught:
            check_voice(unknown, info)
        assert (caught.value.code, caught.value.param) == (Code.UNSUPPORTED, "audio.output.voice")
    check_voice("default", None)
    with pytest.raises(Problem) as away:
        check_voice("hibari", None)
    assert away.value.code == Code.UNAVAILABLE
