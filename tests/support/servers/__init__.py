"""Real servers on free loopback ports, one module for each, with clients that record what they received."""
