"""A secret that is given itself or as a file which holds it: a mounted Secret changes while we run, an environment does not."""

from pathlib import Path

from pydantic import SecretStr


def read_secret(name: str, given: SecretStr, file: Path | None) -> str:
    """Reads the secret from its file, without the line's end; without a file, returns what was given. Raises ValueError that names the
    setting."""
    if file is None:
        return given.get_secret_value()
    try:
        return file.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{name}: {file} cannot be read: {error}") from None
