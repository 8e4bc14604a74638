"""The recipe of the teacher of several voices: clips of Kokoro, then the net that takes its generator's place."""

import os
from pathlib import Path

from a2llm.data.annotation import load_annotated
from a2llm.data.kokoro import installed_model
from a2llm.data.score import Score
from a2llm.data.voice_clips import ClipPlan, make_clips
from a2llm.data.voices import VOICES, Style
from a2llm.recipes.job import Job
from a2llm.talker.phones import split_sentences
from a2llm.training.voice_net import VoiceNetTraining, train_voice_net

CLIPS_A_VOICE = 80
SENTENCE_WORDS = (5, 16)
STYLES, CLIPS = "A2_KOKORO_VOICES", "voice_clips"


def voice_net(job: Job, config: VoiceNetTraining | None = None) -> dict[str, float]:
    """Make clips in job.data/voice_clips, train on them. $A2_KOKORO_VOICES: the folder of Kokoro's voice files.

    Raises ValueError without it.
    """
    folder = os.environ.get(STYLES)
    if not folder:
        raise ValueError(f"set {STYLES} to the folder of Kokoro's voice files (*.bin; `npm pack kokoro-js` has it as package/voices)")
    styles = [(voice, Style.read(Path(folder) / f"{voice.style}.bin")) for voice in VOICES]
    progress = (lambda done, total: on_progress(done, total, {"part": 1.0})) if (on_progress := job.on_progress) else None
    make_clips(ClipPlan(installed_model(), styles, scores(), CLIPS_A_VOICE), job.data / CLIPS, os.cpu_count() or 1, progress)
    return train_voice_net(job.data / CLIPS, job.out, styles, config or VoiceNetTraining(), job.on_progress)


def scores() -> list[Score]:
    """Annotated responses whose first sentence is neither short nor long, spread over all kinds; each text once."""
    found: dict[str, Score] = {}
    for dialogue in load_annotated():
        for turn in dialogue.turns:
            score = Score.annotated(turn.phrases)
            first = split_sentences(score.text)[0]
            if SENTENCE_WORDS[0] <= len(first) <= SENTENCE_WORDS[1]:
                found.setdefault(" ".join(first), score)
    wanted = CLIPS_A_VOICE * len(VOICES)
    return list(found.values())[:: max(1, len(found) // wanted)][:wanted]
