"""docs/serving.md says what is so: every setting with its default, every error code, every reason of a close."""

from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from a2serve.contracts.problems import MEANINGS
from a2serve.gateway.realtime.connection.socket_route import CLOSE_CODES
from a2serve.gateway.settings import GatewaySettings
from a2serve.inference.settings import InferenceSettings
from a2serve.recorder.settings import RecorderSettings

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text()


@pytest.mark.parametrize("settings", [GatewaySettings, InferenceSettings, RecorderSettings])
def test_every_setting_stands_there_as_it_is(settings: type[BaseSettings]) -> None:
    prefix = settings.model_config["env_prefix"]
    lines = []
    for name, field in settings.model_fields.items():
        default = "" if field.default_factory or field.default in ("", None) else f"`{field.default}`"
        lines.append(f"| `{prefix}{name.upper()}` | {default} | {field.description} |")
    missing = [line for line in lines if line not in PAGE]
    assert not missing, "put into docs/serving.md:\n" + "\n".join(missing)
    assert sum(line.startswith(f"| `{prefix}") for line in PAGE.splitlines()) == len(lines), "a setting that is gone stands there"


def test_every_error_stands_there() -> None:
    missing = [line for code, meaning in MEANINGS.items() if (line := f"| `{code}` | {meaning.status} | {meaning.title} |") not in PAGE]
    assert not missing, "put into docs/serving.md:\n" + "\n".join(missing)


def test_every_close_stands_there() -> None:
    assert not [cause for cause, code in CLOSE_CODES.items() if cause != "client_left" and f"| `{cause}` | {code} |" not in PAGE]
