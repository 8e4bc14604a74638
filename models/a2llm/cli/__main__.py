"""`python -m a2llm.cli`, the same as `a2`."""

import sys

from a2llm.cli.program import main

sys.exit(main())
