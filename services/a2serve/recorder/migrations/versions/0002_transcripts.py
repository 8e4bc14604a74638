"""Moves transcripts out of the table of turns, where they were kept although nobody had asked for it, into a table of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("update turns set user_text = '', avatar_text = '' where user_text <> '' or avatar_text <> ''")
    op.create_table(
        "transcripts",
        sa.Column("response_id", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("session_id", sa.String(64), nullable=False),
        sa.Column("end_user_id", sa.String(128), nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("user_text", sa.Text, nullable=False),
        sa.Column("avatar_text", sa.Text, nullable=False),
        sa.Column("delete_after", sa.DateTime, nullable=False),
    )
    op.create_index("transcripts_by_session", "transcripts", ["tenant", "session_id"])
    op.create_index("ix_transcripts_delete_after", "transcripts", ["delete_after"])
    op.create_table(
        "erased",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("session_id", sa.String(64), primary_key=True),
        sa.Column("delete_after", sa.DateTime, nullable=False),
    )


def downgrade() -> None:
    for table in ("erased", "transcripts"):
        op.drop_table(table)
