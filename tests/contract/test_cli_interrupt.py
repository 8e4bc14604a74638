"""The exit code after Ctrl-C, wherever it strikes."""

import subprocess
import sys

STRUCK_INSIDE_EXEC = """
import os, signal, sys
from a2llm.cli.interrupt import Stop
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
