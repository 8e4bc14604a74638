"""Counts how the code reads: sizes, arrows between packages, tests, words and pointers. `make house JSON=FILE`."""
