"""${message}"""

from __future__ import annotations

from alembic import op

revision = ${repr(up_revision).replace("'", '"')}
down_revision = ${repr(down_revision).replace("'", '"')}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What it waits for, and what is so if it is interrupted."""
    op.execute("")
