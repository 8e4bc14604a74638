"""Weights as a pod finds them: converted by root while the image was built, unpacked with times in whole seconds, read by a user
who may write nothing but temporary files. The real weights; of a pod's set-up only the container is missing.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.other_user import UID, image_folders, needs_root, run_as_user, without_writing

from a2llm import weights
from a2llm.components import load_adapter, model_folder
from a2llm.language.runtime import Adapter, fingerprint, load_backbone

# Loading once as root, from root's own cache, imports everything.
BEFORE = """
from pathlib import Path
import torch
from a2llm import weights
from a2llm.components import FILES, load_adapter, model_folder
from a2llm.language.runtime import Adapter, load_backbone
lora, alpha, _ = load_adapter(model_folder() / FILES["backbone_lora"])
def load(runtime, share=1.0):
    backbone = load_backbone(weights.convert("backbone"), Adapter(lora, alpha * share), "cpu", runtime, threads=1)
    print(runtime, float(backbone.forward(torch.tensor([[1, 2, 3]])).norm()))
load("openvino"), load("torch")
"""


@pytest.fixture(scope="module")
def image() -> Iterator[tuple[Path, Path]]:
    """A2_HOME as the images' stage `weights` makes it, and TMPDIR."""
    if weights.replaced_by("backbone") or os.environ.get("A2_MODEL"):
        pytest.skip("weights are replaced by paths")
    lora, alpha, _ = load_adapter(model_folder() / "backbone_lora.safetensors")
    made = weights.convert("backbone")
    load_backbone(made, Adapter(lora, alpha), "cpu")
    quantized = f"backbone-int8-{fingerprint(made, Adapter(lora, alpha))}-v*"
    with image_folders() as (home, temporary):
        for folder in (made, *made.parent.glob(quantized)):
            shutil.copytree(folder, home / folder.name)
        yield without_writing(home), temporary


@needs_root
def test_a_pod_reads_its_weights_and_writes_nothing(image: tuple[Path, Path]) -> None:
    home, temporary = image
    done = run_as_user(BEFORE, "load('openvino'), load('torch')", home, temporary)
    assert (done.returncode, done.stderr) == (0, "")
    as_root, as_user = done.stdout.splitlines()[:2], done.stdout.splitlines()[2:]
    assert as_root == as_user and len(as_user) == 2
    assert not list(temporary.glob("a2llm-*"))


@needs_root
def test_a_lora_of_the_user_is_quantized_where_there_is_room(image: tuple[Path, Path]) -> None:
    """A LoRA is mounted as the chart's `weights` mounts one: the image has no int8 model of it."""
    home, temporary = image
    done = run_as_user(BEFORE, "load('openvino', 0.5), load('openvino', 0.5)", home, temporary)
    assert done.returncode == 0, done.stderr
    said = done.stderr.splitlines()
    assert len(said) == 1 and str(temporary / f"a2llm-{UID}") in said[0] and "A2_HOME" in said[0]
    shipped, first, second = (line for line in done.stdout.splitlines() if line.startswith("openvino"))
    assert first == second != shipped
