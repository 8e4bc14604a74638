"""`a2 train` and `a2 data` in small: the debug recipes train every component on a data set made on the spot."""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen, run

import pytest
import torch

from a2llm.affect import Affect
from a2llm.api import A2LLM, load_parts
from a2llm.checkpoint import load_component
from a2llm.cli import main
from a2llm.components import FILES, load_codecs, load_talker
from a2llm.data.hidden import load_hidden
from a2llm.data.shards import read_shards
from a2llm.data.stages import DataPlan, make_hidden, settle_plan
from a2llm.engine import Engine, TextSampling
from a2llm.interrupt import Interrupted
from a2llm.language.chat import find_persona
from a2llm.language.spoken_text import to_spoken
from a2llm.recipes import RECIPES, Job, find_recipe

CURVES = ("affect_classifier", "audio_codec", "backbone", "motion_codec", "motion_judge", "talker")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """The same sums in the same order in every run, whatever else has set in this process."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything trained for a few steps."""
    out = tmp_path_factory.mktemp("debug")
    started = time.process_time()
    assert main(["train", "debug", "--out", str(out), "--device", "cpu"]) == 0
    assert time.process_time() - started < 60
    return out


def test_every_recipe_has_a_debug_variant_and_a_line() -> None:
    whole = [name for name in RECIPES if not find_recipe(name).small]
    assert {
        "backbone",
        "audio_codec",
        "motion_codec",
        "talker",
        "face_of_sound",
        "motion_judge",
        "user_affect",
        "affect_classifier",
        "voice_net",
    } == set(whole)
    assert all(f"{name}_debug" in RECIPES for name in whole if name != "voice_net"), "Kokoro, which it hears, has no tiny twin"
    assert all(recipe.describe for recipe in RECIPES.values())


def test_recipes_are_complete_configurations() -> None:
    from a2llm.recipes import configs

    assert configs.talker().loop.steps > 1000 and configs.motion_codec().loop.steps > 1000
    assert configs.backbone().rank > 0 and configs.audio_codec().codec.levels == 8
    assert configs.motion_judge().loop.steps > 100 and configs.face_of_sound().only_motion
    assert configs.user_affect().epochs > 0 and configs.affect_classifier().loop.steps > 0


def test_the_components_fit_together(trained: Path) -> None:
    *_, codecs = load_codecs(trained)
    talker = load_talker(trained / FILES["talker"], codecs)
    assert talker.config.width == 32
    assert (trained / FILES["backbone_lora"]).is_file() and (trained / "user_affect.safetensors").is_file()


def test_every_training_leaves_a_curve_and_its_picture(trained: Path) -> None:
    for name in CURVES:
        steps = steps_of(trained, name)
        assert steps and steps == sorted(steps)
        assert (trained / f"{name}.curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["motion_codec", "affect_classifier", "motion_judge", "talker"])
def test_what_was_interrupted_goes_on_to_the_same_weights(trained: Path, tmp_path: Path, name: str) -> None:
    if name == "talker":
        shutil.copyfile(trained / FILES["motion_codec"], tmp_path / FILES["motion_codec"])
    run = find_recipe(f"{name}_debug").run

    def stop_halfway(step: int, steps: int, figures: dict[str, float]) -> None:
        if step >= steps // 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        run(Job(trained / "data", tmp_path, on_progress=stop_halfway))
    run(Job(trained / "data", tmp_path))
    revisions = [load_component(folder / f"{name}.safetensors", name).metadata["revision"] for folder in (tmp_path, trained)]
    assert revisions[0] == revisions[1]
    assert steps_of(tmp_path, name) == steps_of(trained, name)


TOGETHER = """
import sys
from pathlib import Path
from a2llm.recipes import debug, runs
from a2llm.recipes.job import Job
figures = runs.talker(Job(Path(sys.argv[1]), Path(sys.argv[2])), debug.TALKER)
print("leads" if figures else "follows", flush=True)
"""


def test_two_processes_train_one_talker(trained: Path, tmp_path: Path) -> None:
    """They start as torchrun starts them; the leader alone writes. That they go on where they stopped: tests/unit/test_distributed.py."""
    shutil.copyfile(trained / FILES["motion_codec"], tmp_path / FILES["motion_codec"])
    (tmp_path / "together.py").write_text(TOGETHER)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "together.py"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = run([*torchrun, str(trained / "data"), "."], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == ["follows", "leads"]
    assert steps_of(tmp_path, "talker") == list(range(1, 7))
    assert load_talker(tmp_path / FILES["talker"]).connector is not None


def steps_of(folder: Path, name: str) -> list[int]:
    """Steps in a loss curve."""
    return [json.loads(line)["step"] for line in (folder / f"{name}.curve.jsonl").read_text().splitlines()]


def test_the_data_report(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "report", str(trained / "data"), "--out", str(tmp_path)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    report = json.loads((tmp_path / "report.json").read_text())
    utterances = list(read_shards(trained / "data" / "shards"))
    assert report["utterances"] == len(utterances)
    assert report["hours"] == pytest.approx(sum(len(u.motion) for u in utterances) / 40 / 3600, abs=1e-3)
    assert set(report["splits"]) == {"train", "held_out"} and sum(report["sources"].values()) == report["texts"]
    assert sum(affect["utterances"] for affect in report["affects"].values()) == len(utterances)
    assert report["affects"]["surprise"]["f0_median_hz"] > report["affects"]["sadness"]["f0_median_hz"]
    assert report["phones"] and "ˈ" not in report["phones"]
    for name in ("overview.png", "motion.png"):
        assert (tmp_path / name).stat().st_size > 10_000


def test_hidden_states_are_read_once(
    trained: Path, tiny_files: Path, tiny_home: Path, mini_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"A2_MODEL": tiny_files, "A2_WEIGHTS_BACKBONE": mini_gguf, "A2_HOME": tiny_home}.items():
        monkeypatch.setenv(name, str(value))
    data, printed = tmp_path, list[tuple[int, int]]()
    lines = (trained / "data" / "text.jsonl").read_text().splitlines(keepends=True)
    fitting = [line for line in lines if len(json.loads(line)["response"].split()) <= 26]  # whole in RESPONSE_TOKENS of this vocabulary
    assert len(fitting) > 0.8 * len(lines)
    (data / "text.jsonl").write_text("".join(fitting))
    make_hidden(data, 1, lambda done, total: printed.append((done, total)), (0.5, 1.0))
    states = load_hidden(data / "shards")
    texts = [json.loads(line)["response"] for line in (data / "text.jsonl").read_text().splitlines()]
    assert printed == [(len(texts), len(texts))]
    assert {index: len(found.words) for index, found in states.items()} == {i: len(to_spoken(text).split()) for i, text in enumerate(texts)}
    file = next((data / "shards").glob("hidden-*.npz"))
    written = file.stat().st_mtime_ns
    make_hidden(data, 1, depths=(0.5, 1.0))
    assert file.stat().st_mtime_ns == written


def test_what_was_trained_speaks(trained: Path, tiny_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data, training, speech: words that a random backbone writes, meaning that the connector makes of its states, and an own affect."""
    for name, value in {"A2_MODEL": trained, "A2_WEIGHTS_BACKBONE": trained / "tiny_backbone", "A2_HOME": tiny_home}.items():
        monkeypatch.setenv(name, str(value))
    assert load_talker(trained / FILES["talker"]).connector is not None
    model = A2LLM(Engine(load_parts(trained, "cpu"), text_sampling=TextSampling(max_tokens=3)), find_persona("ada"))

    def said(affect: Affect | None = None) -> tuple[str, Affect | None, bytes]:
        model.restart()
        steps = list(model.respond("My dog ran away.", affect, seed=1))
        return " ".join(step.text for step in steps if step.text), steps[0].affect, b"".join(step.motion.tobytes() for step in steps)

    own, forced = said(), said(Affect("joy", 0.9))
    assert own[0] == forced[0] != "" and forced[1] == Affect("joy", 0.9) != own[1] and own[2] != forced[2]
    assert said() == own


def test_the_proof_runs_on_what_was_trained(trained: Path, tmp_path: Path) -> None:
    """Every variant has every figure; that planted effects are found: tests/unit/test_proof.py."""
    file = tmp_path / "proof.json"
    assert main(["evaluate", "proof", "--data", str(trained / "data"), "--model", str(trained), "--json", str(file)]) == 0
    figures = json.loads(file.read_text())
    for key in ("function_f1", "arc_correlation", "masked_affect_pct", "minimal_pair_pct"):
        assert {f"{key}_{name}" for name in ("teacher", "fused", "zeroed", "shuffled", "audio_only")} <= figures.keys()
    assert figures["proof_responses"] > 0 and figures["proof_runs"] == 1


def test_a_data_folder_keeps_to_its_plan(tmp_path: Path) -> None:
    settle_plan(tmp_path, DataPlan(seed=1))
    settle_plan(tmp_path, DataPlan(seed=1))
    with pytest.raises(ValueError, match=r"begun with other settings.*seed 1 there, 2 now"):
        settle_plan(tmp_path, DataPlan(seed=2))
    with pytest.raises(ValueError, match="at least one variant"):
        DataPlan(variants=0)


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="process groups are POSIX")
def test_an_interrupted_build_leaves_whole_shards_only(trained: Path, tmp_path: Path, start_a2: Callable[..., Popen[str]]) -> None:
    shutil.copyfile(trained / "data" / FILES["audio_codec"], tmp_path / FILES["audio_codec"])  # skips minutes of fitting
    process = start_a2("data", "build", "--out", str(tmp_path), "--workers", "2", "--drills", "0", start_new_session=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("3/4"):
            break
    time.sleep(2)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: parent and workers
    _, printed = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in printed, printed
    shards = tmp_path / "shards"
    assert [f for f in shards.glob("*") if not f.name.startswith("speech-") or ".tmp" in f.name] == []
