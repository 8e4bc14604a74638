"""Brings the tables to the version of this program by Alembic, or leaves them where they are newer.

Migrations only add: tables, columns with a default, indexes. So an older recorder works on newer tables, which is what
`helm rollback` needs.
"""

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 4_207_203_518  # of this program's migrations, among the advisory locks of a Postgres database
log = logging.getLogger(__name__)


def configuration(connection: Connection) -> Config:
    """Alembic's configuration for this connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection) -> None:
    """To this version. The connection is in a transaction, in which others that want the same wait (SQLite's writer is alone)."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    config = configuration(connection)
    found = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        log.warning("the tables are of a newer version (%s), which only adds to what this one knows: going on", found)
        return
    command.upgrade(config, "head")
