"""Attacks on a running service of real parts: `make attack JSON=FILE`."""
