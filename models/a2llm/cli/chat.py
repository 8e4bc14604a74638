"""`a2 chat`: the options of the conversation in the terminal (chat_session.py holds it)."""

import argparse

from a2llm.cli.arguments import PERSONA_HELP, Commands, examples, persona, whole

DESCRIPTION = """\
Talk with the avatar in the terminal, turn by turn. It plays its voice where there is a sound device and always prints
what it says, with the time to its first sound (TTFA), the compute time per second of speech (RTF) and its affect.
Ctrl-C interrupts a response; a second Ctrl-C leaves. Lines can also be piped in: each is answered, then it ends."""
EXAMPLES = examples("a2 chat", "a2 chat --persona max --no-voice", 'printf "Hello\\nTell me a joke.\\n" | a2 chat')


def register(commands: Commands) -> None:
    parser = commands.add_parser("chat", help="talk with the avatar in the terminal", description=DESCRIPTION, epilog=EXAMPLES)
    parser.add_argument("--persona", type=persona, default="ada", metavar="NAME", help=PERSONA_HELP)
    parser.add_argument("--voice", action=argparse.BooleanOptionalAction, default=True, help="play the voice (default: yes)")
    parser.add_argument("--seed", type=whole, default=0, metavar="N", help="makes a conversation repeatable (default: 0)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    from a2llm.cli.chat_session import open_chat

    return open_chat(arguments.persona, arguments.voice, arguments.seed)
