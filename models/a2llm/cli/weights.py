"""`a2 weights`: lists, verifies and prepares everything the model computes with."""

import argparse

from a2llm.cli.arguments import Commands, examples

DESCRIPTION = """\
The weights out of installed packages and those trained here: where they are, whether they are intact, and their one-time
conversion into the cache folder (A2_HOME). Each package's weights can be replaced: A2_WEIGHTS_BACKBONE=/path, likewise
_VOICE, _G2P, _EAR; the trained ones by A2_MODEL=/folder."""
EXAMPLES = examples("a2 weights", "a2 weights verify", "a2 weights convert", "A2_WEIGHTS_BACKBONE=~/llama-1b a2 weights convert")
ACTIONS = {
    "list": "show them (default)",
    "verify": "compare their sha256 with the pinned ones",
    "convert": "do now what the first answer needs",
}


def register(commands: Commands) -> None:
    parser = commands.add_parser("weights", help="list, verify or convert weights", description=DESCRIPTION, epilog=EXAMPLES)
    actions = "; ".join(f"{name}: {meaning}" for name, meaning in ACTIONS.items())
    parser.add_argument("action", nargs="?", choices=tuple(ACTIONS), default="list", help=actions)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from a2llm.cli import weights_work

    {"list": weights_work.show, "verify": weights_work.verify, "convert": weights_work.convert}[arguments.action]()
