"""Entry point of `python -m a2serve.recorder`."""

from a2serve.recorder.program import main

if __name__ == "__main__":
    main()
