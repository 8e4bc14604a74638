"""Alembic's migrations; run at every start by `RecordDatabase.migrate`."""
