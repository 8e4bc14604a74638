"""Usage counts frames of the face and the time that sockets are open."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

COLUMNS = ("output_motion_frames", "session_ms")


def upgrade() -> None:
    for name in COLUMNS:
        op.add_column("usage", sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_column("usage", name)
