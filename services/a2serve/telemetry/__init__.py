"""What the services tell about themselves: names.py has every name once, setup.py starts tracing, metrics and logs."""
