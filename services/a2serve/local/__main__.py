"""Entry point of `python -m a2serve.local`."""

from a2serve.local.program import main

if __name__ == "__main__":
    main()
