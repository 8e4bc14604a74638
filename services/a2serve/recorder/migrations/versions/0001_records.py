"""Sessions, turns, usage, audit, offsets, unreadable messages: the first tables. Frozen; later changes get their own file."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _common() -> list[sa.Column[Any]]:
    return [
        sa.Column("record_id", sa.String(64), primary_key=True),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("trace_id", sa.String(32), nullable=False),
    ]


def _spoken() -> list[sa.Column[Any]]:
    return [
        sa.Column("session_id", sa.String(64), nullable=False),
        sa.Column("response_id", sa.String(64), nullable=False),
        sa.Column("end_user_id", sa.String(128), nullable=False),
    ]


def upgrade() -> None:
    _records()
    op.create_table(
        "offsets",
        sa.Column("topic", sa.String(128), primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "unreadable",
        sa.Column("topic", sa.String(128), primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True),
        sa.Column("offset", sa.BigInteger, primary_key=True),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )


def _records() -> None:
    op.create_table(
        "sessions",
        *_common(),
        sa.Column("session_id", sa.String(64), nullable=False),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("end_user_id", sa.String(128), nullable=False),
        sa.Column("cause", sa.String(16), nullable=False),
        sa.Column("duration_ms", sa.BigInteger, nullable=False),
        sa.Column("turns", sa.Integer, nullable=False),
    )
    op.create_table(
        "turns",
        *_common(),
        *_spoken(),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("user_text", sa.Text, nullable=False),
        sa.Column("avatar_text", sa.Text, nullable=False),
        *(
            sa.Column(name, sa.Float, nullable=name == "first_packet_ms")
            for name in ("endpointing_ms", "transcription_ms", "first_packet_ms", "queue_ms", "prefill_ms", "first_audio_ms", "compute_ms")
        ),
        sa.Column("cut_ms", sa.BigInteger, nullable=True),
        sa.Column("audio_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "usage",
        *_common(),
        *_spoken(),
        sa.Column("model", sa.String(128), nullable=False),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("input_tokens", "cached_tokens", "output_text_tokens", "input_audio_ms", "output_audio_ms")
        ),
    )
    op.create_table(
        "audit",
        *_common(),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("target", sa.String(128), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
    )
    for table in ("sessions", "turns", "usage", "audit"):
        op.create_index(f"{table}_by_tenant", table, ["tenant", "at"])
    for table in ("sessions", "turns", "usage"):
        op.create_index(f"ix_{table}_session_id", table, ["session_id"])


def downgrade() -> None:
    for table in ("unreadable", "offsets", "audit", "usage", "turns", "sessions"):
        op.drop_table(table)
