"""Entry point of `python -m a2serve.gateway`."""

from a2serve.gateway.program import main

if __name__ == "__main__":
    main()
