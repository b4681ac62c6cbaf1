"""Processes need not own the tables: partitions are made and dropped by a function of the owner."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Names of months and bounds of partitions are in UTC, whatever the session says.
_AS_OF = """
CREATE FUNCTION keep_decision_months_as_of(moment timestamptz) RETURNS void
LANGUAGE plpgsql SET TimeZone = 'UTC' SET DateStyle = 'ISO' SET lock_timeout = '1s' AS $body$
DECLARE
    month timestamptz := date_trunc('month', moment);
    following timestamptz;
    oldest text := 'decision_' || to_char(moment - interval '400 days', 'YYYYMM');
    partition text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('partitions:decision', 0));
    FOR ahead IN 0..2 LOOP
        following := month + interval '1 month';
        partition := 'decision_' || to_char(month, 'YYYYMM');
        IF NOT EXISTS (
            SELECT FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
            WHERE inhparent = 'decision'::regclass AND relname = partition
        ) THEN
            -- Made beside its table and attached, so that writers go on meanwhile. Without the
            -- lock, a row that is written after the move keeps it from being attached.
            LOCK TABLE decision_default IN ACCESS EXCLUSIVE MODE;
            EXECUTE format('CREATE TABLE %I (LIKE decision INCLUDING ALL)', partition);
            EXECUTE format('WITH moved AS (
                    DELETE FROM decision_default
                    WHERE decide_time >= %L AND decide_time < %L RETURNING *)
                INSERT INTO %I SELECT * FROM moved', month, following, partition);
            EXECUTE format('ALTER TABLE decision ATTACH PARTITION %I
                FOR VALUES FROM (%L) TO (%L)', partition, month, following);
        END IF;
        month := following;
    END LOOP;
    FOR partition IN
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'decision'::regclass AND relname ~ '^decision_[0-9]{6}$'
          AND relname < oldest
        ORDER BY relname
    LOOP
        EXECUTE format('DROP TABLE %I', partition);
    END LOOP;
END
$body$
"""
# Whoever may call it says neither which tables it works on nor what time it is.
_KEEP = """
CREATE FUNCTION keep_decision_months() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER AS $body$
BEGIN
    PERFORM keep_decision_months_as_of(clock_timestamp());
END
$body$
"""
# The schema that the tables are in; what a caller makes for a session comes last.
_FIX_PATHS = """
DO $do$
BEGIN
    EXECUTE format('ALTER FUNCTION keep_decision_months_as_of(timestamptz)
        SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION keep_decision_months()
        SET search_path = %I, pg_temp', current_schema());
END
$do$
"""


def upgrade() -> None:
    for statement in (
        _AS_OF,
        _KEEP,
        _FIX_PATHS,
        "REVOKE ALL ON FUNCTION keep_decision_months_as_of(timestamptz) FROM PUBLIC",
        "REVOKE ALL ON FUNCTION keep_decision_months() FROM PUBLIC",
    ):
        op.execute(statement)
