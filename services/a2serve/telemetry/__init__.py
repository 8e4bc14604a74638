"""Traces, metrics and logs of the services: names.py has every name once, setup.py starts the exporters."""
