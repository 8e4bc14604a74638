"""Models of random numbers with the real shapes, and their files."""
