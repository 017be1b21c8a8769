"""Reports of sockets.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "socket_reports",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.Column("time", sa.Float(), nullable=False),
        sa.Column("opened_at", sa.Float(), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("release_id", sa.Integer(), nullable=True),
        sa.Column("rule", sa.String(length=16), nullable=True),
        sa.Column("unit", sa.String(length=16), nullable=True),
        sa.Column("peer", sa.String(length=16), nullable=True),
        sa.Column("share_bp", sa.Integer(), nullable=True),
        sa.Column("close_code", sa.Integer(), nullable=True),
        sa.Column("closed_by", sa.String(length=16), nullable=True),
        sa.Column("first_message_ms", sa.Float(), nullable=True),
        sa.Column("frames_up", sa.Integer(), nullable=False),
        sa.Column("frames_down", sa.Integer(), nullable=False),
        sa.Column("bytes_up", sa.BigInteger(), nullable=False),
        sa.Column("bytes_down", sa.BigInteger(), nullable=False),
        sa.Column("audio_seconds", sa.Float(), nullable=False),
        sa.Column("mute_speech_seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("request_id", "version", "number", name="uq_socket_report"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_socket_reports_time", "socket_reports", ["time"], unique=False)
