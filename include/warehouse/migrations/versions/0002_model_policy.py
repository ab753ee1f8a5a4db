"""One run may score with several models: revision 0002, after 0001.

`score_runs` has a row per run and model, and says by which policy the model was chosen. The
ledger has new events; they need no other column.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = "pk_score_runs"
LINEAGE = "Lineage of scores, by run_id: model, features, lake versions and code"
LINEAGE_NOW = "Lineage of scores, by run and model: features, lake versions and code"
VERSION = "version of the champion that scored"
VERSION_NOW = "version of the model that scored"
EVENT = "registered, promoted, kept, refused or rolled_back"
EVENT_NOW = "registered, proposed, shadowed, promoted, kept, refused or rolled_back"


def upgrade() -> None:
    """Widen the key of `score_runs` and add its policy; rows from before have none."""
    policy = sa.Column(
        "model_policy",
        sa.Text,
        nullable=True,
        comment="why this model: champion_now, champion_asof or pinned",
    )
    with _views_aside(), op.batch_alter_table("score_runs") as table:
        table.add_column(policy)
        table.drop_constraint(op.f(KEY), type_="primary")
        table.create_primary_key(op.f(KEY), ["run_id", "model_version"])
    _comment(LINEAGE_NOW, VERSION_NOW, EVENT_NOW)


def downgrade() -> None:
    """Go back to a row per run; fails, and changes nothing, where a run used several models."""
    with _views_aside(), op.batch_alter_table("score_runs") as table:
        table.drop_constraint(op.f(KEY), type_="primary")
        table.create_primary_key(op.f(KEY), ["run_id"])
        table.drop_column("model_policy")
    _comment(LINEAGE, VERSION, EVENT)


@contextmanager
def _views_aside() -> Iterator[None]:
    """Let SQLite rename the rebuilt table although views of analysts may name it."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    if sqlite:
        op.execute("PRAGMA legacy_alter_table = ON")
    try:
        yield
    finally:
        if sqlite:
            op.execute("PRAGMA legacy_alter_table = OFF")


def _comment(lineage: str, version: str, event: str) -> None:
    if not op.get_bind().dialect.supports_comments:
        return
    op.create_table_comment("score_runs", lineage)
    op.alter_column("score_runs", "model_version", comment=version)
    op.alter_column("model_ledger", "event", comment=event)
