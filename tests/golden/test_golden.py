"""What others depend on changes only when somebody means it to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from google.api import annotations_pb2, http_pb2
from google.protobuf import json_format
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from infrastructure.rpc.contract import Method
from tests.support.contract import METHODS
from tests.support.messages import a_full_message

if TYPE_CHECKING:
    from tests.golden.conftest import Golden

PUBLIC = [method for method in METHODS.values() if method.is_public]
INTERNAL = [method for method in METHODS.values() if not method.is_public]


def http_rule(method: Method) -> http_pb2.HttpRule:
    rule: http_pb2.HttpRule = method.descriptor.GetOptions().Extensions[annotations_pb2.http]
    return rule


def routes_of(method: Method) -> Iterator[str]:
    """A line for each way by which JSON reaches a method: path, verb, method, body, answer."""
    rule = http_rule(method)
    for each in (rule, *rule.additional_bindings):
        verb = each.WhichOneof("pattern")
        assert verb is not None
        line = f"{getattr(each, verb)} {verb.upper()} {method.path.removeprefix('/')}"
        line += f" body={each.body}" if each.body else ""
        yield line + (f" answer={each.response_body}" if each.response_body else "")


def test_http_routes(golden: Golden) -> None:
    """A client of JSON would meet 404 after an update; buf does not see a changed path."""
    routes = sorted(line for method in PUBLIC for line in routes_of(method))
    internal = sorted(f"internal {method.path.removeprefix('/')}" for method in INTERNAL)
    golden.holds("routes.txt", "\n".join([*routes, "", *internal, ""]))


def test_json_of_public_answers(golden: Golden) -> None:
    """A client of JSON would look for a key that has another name now."""
    examples = {
        f"{message.full_name}.json": json_format.MessageToJson(a_full_message(message)) + "\n"
        for method in PUBLIC
        if not http_rule(method).response_body
        for message in [method.descriptor.output_type]
    }
    golden.holds_folder("json", examples)


_TABLES = text(
    """
    SELECT oid, relname, reloptions, pg_get_partkeydef(oid) AS partition_key
    FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
      AND relname <> 'alembic_version'
    ORDER BY relname
    """
)
_COLUMNS = text(
    """
    SELECT format('%s %s%s%s%s', attname, format_type(atttypid, atttypmod),
                  CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END,
                  CASE attgenerated WHEN '' THEN ' DEFAULT ' ELSE ' GENERATED AS '
                  END || pg_get_expr(adbin, adrelid),
                  CASE attidentity WHEN 'a' THEN ' IDENTITY ALWAYS' WHEN 'd' THEN ' IDENTITY'
                                   ELSE '' END)
    FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attrelid = :oid AND attnum > 0 AND NOT attisdropped
    ORDER BY attnum
    """
)
_CONSTRAINTS = text(
    """
    SELECT format('%s %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint
    WHERE conrelid = :oid AND contype <> 'n' ORDER BY conname
    """
)
_INDEXES = text(
    """
    SELECT pg_get_indexdef(indexrelid) FROM pg_index
    JOIN pg_class ON pg_class.oid = indexrelid
    WHERE indrelid = :oid ORDER BY relname
    """
)
_TRIGGERS = text(
    """
    SELECT pg_get_triggerdef(oid) FROM pg_trigger
    WHERE tgrelid = :oid AND NOT tgisinternal ORDER BY tgname
    """
)
_FUNCTIONS = text(
    """
    SELECT pg_get_functiondef(oid) FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace ORDER BY proname, oid
    """
)
_OTHERS = text(
    """
    SELECT format('%s %s', CASE relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW'
                                        ELSE 'MATERIALIZED VIEW' END, relname)
    FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('S', 'v', 'm') ORDER BY 1
    """
)


async def printed_schema(connection: AsyncConnection) -> str:
    """Tables with all that belongs to them, then functions and the rest. Partitions change with
    the months, so they are left out.
    """
    blocks = []
    for table in (await connection.execute(_TABLES)).all():
        lines = [f"TABLE {table.relname}"]
        if table.partition_key:
            lines.append(f"  PARTITION BY {table.partition_key}")
        if table.reloptions:
            lines.append(f"  WITH {', '.join(table.reloptions)}")
        for query in (_COLUMNS, _CONSTRAINTS, _INDEXES, _TRIGGERS):
            found = (await connection.execute(query, {"oid": table.oid})).scalars().all()
            lines += [f"  {line}" for line in found]
            lines += [""] if found else []
        blocks.append("\n".join(lines))
    for query in (_FUNCTIONS, _OTHERS):
        blocks += (await connection.execute(query)).scalars().all()
    return "\n".join(blocks)


async def test_schema(golden: Golden, engine: AsyncEngine) -> None:
    """A migration would change something else than what was meant and reviewed."""
    async with engine.connect() as connection:
        golden.holds("schema.txt", await printed_schema(connection))
