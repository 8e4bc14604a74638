"""The conversation of node/talk.mjs, which goes on by itself."""

import os
import subprocess
import tempfile
from pathlib import Path
from typing import IO

from bench.realtime_client import spoken_question
from bench.service import Service

LONGEST_S = 240.0


class SdkTalk:
    """A context: the script runs in it; `output` waits for its end."""

    QUESTION, INTERRUPTION = "af_sarah_00", "am_eric_00"

    def __init__(self, product: Service, packages: Path, environment: dict[str, str], folder: Path) -> None:
        sounds = [folder / f"{name}.pcm" for name in (self.QUESTION, self.INTERRUPTION)]
        for sound in sounds:
            sound.write_bytes(spoken_question(sound.stem).astype("<i2").tobytes())
        url = f"{product.url.replace('http', 'ws', 1)}/v1/realtime"
        # Into files: a pipe that nobody reads yet would stop it when full.
        self._out, self._errors = (tempfile.TemporaryFile("w+", dir=folder) for _ in range(2))  # noqa: SIM115
        self._node = subprocess.Popen(
            ["node", "talk.mjs", url, *map(str, sounds)],
            cwd=packages,
            env={**os.environ, **environment, "A2_KEY": product.key},
            stdout=self._out,
            stderr=self._errors,
        )

    def output(self) -> str:
        """Output of the script, a JSON object per line; fails if the script failed."""
        returned = self._node.wait(LONGEST_S)
        out, errors = (_whole(file) for file in (self._out, self._errors))
        print(out)
        assert returned == 0, errors
        return out

    def __enter__(self) -> "SdkTalk":
        return self

    def __exit__(self, *_: object) -> None:
        self._node.kill()
        self._node.wait()
        self._out.close()
        self._errors.close()


def _whole(file: IO[str]) -> str:
    file.seek(0)
    return file.read()
