"""Ctrl-C, wherever it strikes: the exit code, and what must be done whole before it takes effect."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from a2llm.interrupt import Interrupted, Stop, undisturbed

STRUCK_INSIDE_EXEC = """
import os, signal, sys
from a2llm.interrupt import Stop
with Stop() as stop:
    try:
        exec("os.kill(os.getpid(), signal.SIGINT)\\nwhile True: pass")
    except KeyboardInterrupt:
        code = stop.exit_code
sys.exit(code)
"""


def test_ctrl_c_while_a_library_defines_a_dataclass_ends_with_130(tmp_path):
    (tmp_path / "struck.py").write_text(STRUCK_INSIDE_EXEC)
    ended = subprocess.run([sys.executable, "-m", "struck"], cwd=tmp_path, timeout=60)
    assert ended.returncode == 130  # -2 would be the process killed by its own SIGINT


def test_ctrl_c_waits_for_what_must_be_done_whole():
    done = []
    with ThreadPoolExecutor(1) as threads:  # a process of one thread is easier
        threads.submit(time.sleep, 0.1)
        with pytest.raises(Interrupted), Stop(), undisturbed():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
            done.append("whole")
    assert done == ["whole"]
