"""Brings the recorder's tables up to this version, and ends: `python -m a2serve.recorder.migrate`. A job before an upgrade.

A recorder does the same when it starts; a job of its own says beforehand whether it can be done.
"""

import argparse
import sys

from sqlalchemy.exc import SQLAlchemyError

from a2serve.recorder.database import RecordDatabase
from a2serve.recorder.settings import settings_or_exit
from a2serve.telemetry import names
from a2serve.telemetry.setup import start_logging


def main() -> None:
    """Ends with 1 and a sentence where it could not."""
    argparse.ArgumentParser("python -m a2serve.recorder.migrate", description=__doc__).parse_args()
    settings = settings_or_exit()
    start_logging(names.SERVICE_RECORDER, settings.log_level)
    try:
        database = RecordDatabase(settings.database)
        database.migrate()
        database.close()
    except (OSError, SQLAlchemyError) as error:
        sys.exit(f"the tables cannot be made: {error}")


if __name__ == "__main__":
    main()
