"""Does the REST interface answer as its OpenAPI document says? schemathesis with all its checks, with a key and without.

    python tests/bench/fuzz.py                                 # a gateway of its own: real Valkey, a scripted model
    python tests/bench/fuzz.py --url http://... --key a2_...   # one that runs

Ends with 1 where a check failed. Three passes: everything, with calls that follow from each other; turns and items of a live
session; everything without a key.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.servers.gateway import free_port, gateway_standing, process, valkey_command
from support.servers.realtime import Script

from a2serve.gateway.tenants import Limits
from a2serve.recorder.database import RecordDatabase

HOOKS = Path(__file__).with_name("fuzz_hooks.py")
LIMITS = {"burst_requests": 10_000_000, "requests_per_minute": 10_000_000, "max_sessions": 10_000}


def main() -> None:
    """One run, and 1 where a check failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="of a gateway that runs")
    parser.add_argument("--key", help="of a tenant there, with high limits")
    parser.add_argument("--examples", type=int, default=60, help="per operation")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.url:
            failed = asyncio.run(fuzz(arguments.url, arguments.key, Path(folder), arguments.examples, arguments.seed))
        else:
            failed = fuzz_own(Path(folder), arguments.examples, arguments.seed)
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


def fuzz_own(folder: Path, examples: int, seed: int) -> list[str]:
    """The passes that failed, before a gateway of one's own."""
    port, database = free_port(), f"sqlite:///{folder / 'records.sqlite'}"

    async def within() -> list[str]:
        async with gateway_standing(folder, port, Script(packets=2), usage_database=database) as made:
            raise_limits(made.settings.tenants_file)
            return await fuzz(made.url, made.keys["acme"], folder, examples, seed)

    records = RecordDatabase(database)
    records.migrate()
    records.close()
    with process(valkey_command(port, folder), port, folder / "valkey.log"):
        return asyncio.run(within())


def raise_limits(tenants_file: Path) -> None:
    """Nothing is refused for being much."""
    text = tenants_file.read_text()
    for name, value in LIMITS.items():
        text = text.replace(f"{name} = {getattr(Limits(), name)}", f"{name} = {value}")
    tenants_file.write_text(text)


async def fuzz(url: str, key: str, folder: Path, examples: int, seed: int) -> list[str]:
    """Runs all passes and returns those that failed."""
    size = ["--max-examples", str(examples), "--seed", str(seed), "--continue-on-failure", "--warnings", "off"]
    common = [*size, "--checks", "all", "--exclude-checks", "positive_data_acceptance"]
    keyed = ["--header", f"Authorization: Bearer {key}"]
    failed: list[str] = []
    async with live_session(url, key) as session_id:
        plain, live = folder / "plain.toml", folder / "live.toml"
        plain.write_text(f'hooks = "{HOOKS}"\n')
        live.write_text(f'hooks = "{HOOKS}"\n[parameters]\n"path.session_id" = "{session_id}"\n')
        talk = ["--include-path-regex", "/(turns|items)$"]
        for name, options, config in (("with a key", keyed, plain), ("a live session", keyed + talk, live), ("without a key", [], plain)):
            print(f"\n--- {name}", flush=True)
            program = [str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(config)]
            command = [*program, "run", f"{url}/openapi.json", *common, *options]
            running = await asyncio.create_subprocess_exec(*command, cwd=folder, env=os.environ | {"NO_COLOR": "1"})
            if await running.wait():
                failed.append(name)
    return failed


@asynccontextmanager
async def live_session(url: str, key: str) -> AsyncIterator[str]:
    async with httpx.AsyncClient(base_url=url, headers={"authorization": f"Bearer {key}"}, trust_env=False, timeout=60) as client:
        made = (await client.post("/v1/sessions", json={})).json()["id"]
        (await client.post(f"/v1/sessions/{made}/turns", json={"text": "Hello", "stream": False})).raise_for_status()
        yield made
        await client.delete(f"/v1/sessions/{made}")


if __name__ == "__main__":
    main()
