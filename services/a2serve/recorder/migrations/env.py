"""Alembic's entry: uses the connection it is given. To write a migration: change tables.py, then add versions/<number>_<what>.py."""

from alembic import context

from a2serve.recorder.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
