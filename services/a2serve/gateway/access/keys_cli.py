"""`a2 keys create|revoke|list`: API keys in the tenants file. Hooked into `a2` by the entry point group `a2.commands`.

Imports the gateway's modules when a command runs, so that `a2` itself starts without them. Where there is no `a2` (the gateway's image):
`python -m a2serve.gateway.access.keys_cli create TENANT`.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Protocol


class Commands(Protocol):
    """The part of argparse's sub-commands that is used here."""

    def add_parser(self, name: str, /, *, help: str, description: str = "") -> argparse.ArgumentParser: ...


def register(commands: Commands) -> None:
    """Add the command to `a2`'s parser."""
    parser = commands.add_parser("keys", help="API keys of the live service", description="API keys of the live service.")
    parser.add_argument("--file", type=Path, metavar="FILE", help="tenants file (default: A2_TENANTS_FILE, else under A2_HOME)")
    parser.set_defaults(run=lambda _arguments: _usage(parser))  # pyright: ignore[reportUnknownLambdaType]
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    create = actions.add_parser("create", help="make a key; it is printed once and stored nowhere")
    create.add_argument("tenant", metavar="TENANT", help="whose key: a-z, 0-9 and hyphens")
    create.set_defaults(run=_create)
    revoke = actions.add_parser("revoke", help="end a key; running gateways notice within seconds")
    revoke.add_argument("key_id", metavar="ID", help="as `a2 keys list` shows it")
    revoke.set_defaults(run=_revoke)
    actions.add_parser("list", help="every key: id, tenant, created, state").set_defaults(run=_list)


def _create(arguments: argparse.Namespace) -> int:
    from a2serve.gateway.tenants import create_key

    key, _ = create_key(_file(arguments), arguments.tenant)
    print(key)
    return 0


def _revoke(arguments: argparse.Namespace) -> int:
    from a2serve.gateway.tenants import revoke_key

    ended = revoke_key(_file(arguments), arguments.key_id)
    print(f"revoked {ended.id} of {ended.tenant}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    from a2serve.gateway.tenants import read_tenants

    for key in read_tenants(_file(arguments)).keys:
        state = f"revoked {key.revoked:%Y-%m-%d}" if key.revoked else "active"
        print(f"{key.id}  {key.tenant:<20} created {key.created:%Y-%m-%d}  {state}")
    return 0


def _usage(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 2


def _file(arguments: argparse.Namespace) -> Path:
    from a2serve.gateway.settings import default_tenants_file

    named = os.environ.get("A2_TENANTS_FILE")
    return arguments.file or (Path(named) if named else default_tenants_file())


def main() -> int:
    """Runs the command on its own, without the `a2` program; returns the exit status."""
    parser = argparse.ArgumentParser("python -m a2serve.gateway.access.keys_cli")
    register(parser.add_subparsers())
    arguments = parser.parse_args(["keys", *sys.argv[1:]])
    return arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
