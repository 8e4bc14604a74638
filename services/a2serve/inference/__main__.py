"""Entry point of `python -m a2serve.inference`."""

from a2serve.inference.program import main

if __name__ == "__main__":
    main()
