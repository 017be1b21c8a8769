"""Which key made a unit.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("recognition_history", "socket_reports"):
        op.add_column(table, sa.Column("unit_key_id", sa.String(length=16), nullable=True))
