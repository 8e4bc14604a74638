"""How many threads the CPU's runtimes get where nobody asks for another number. Knows no torch: the ear does without it."""

import os

THREADS = int((os.environ.get("OMP_NUM_THREADS") or "2").split(",")[0])  # the variable that other runtimes follow, too
