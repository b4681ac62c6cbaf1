"""What the rooms promise each other, where the import contracts cannot see it."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Table

from infrastructure.database.metadata import metadata
from infrastructure.database.rights import only_appended, rows, rows_of
from server.tables import EVERY_TABLE
from tests.support.files import ROOT, files_of, source_of, texts_of, tree_of
from tests.support.lints import assert_none

SHARED_TABLES = {"repeated_call", "sealing_key"}
"""Tables of the process itself, which no domain owns."""

HOT_PATHS = {"arrival", "purchase_linking", "purchase_webhook"}
NOT_ADAPTERS = {"database", "rpc"}
"""Rooms of infrastructure that do not lead to somebody else's server, or to secrets."""

AMBIENT_MODULES = {"time", "random", "secrets", "uuid_utils", "uuid_utils.compat"}
AMBIENT_NAMES = {"uuid1", "uuid4", "uuid7"}
AMBIENT_METHODS = {"now", "utcnow", "today", "time_ns", "uuid1", "uuid4", "uuid7"}
AMBIENT_SQL = re.compile(
    r"\b(now|random|gen_random_uuid|uuidv7|clock_timestamp|statement_timestamp)\(\)"
    r"|\bCURRENT_(TIMESTAMP|DATE|TIME)\b",
    re.IGNORECASE,
)
SQL_TABLE = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+\"?([a-z_]+)\"?", re.IGNORECASE)

PRODUCT = "guerdon"
PROTO_NAME = re.compile(rf"{PRODUCT}\.[a-z]+\.v[0-9]+")

RULES = files_of("domains", "orchestration")
DOMAINS = sorted(
    path.name for path in (ROOT / "domains").iterdir() if (path / "__init__.py").exists()
)


def contracts() -> dict[str, dict[str, Any]]:
    """The import contracts by their ids."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {each["id"]: each for each in project["tool"]["importlinter"]["contracts"]}


def parts_of(path: Path) -> tuple[str, ...]:
    """The names of a file and of the folders it is in."""
    return path.with_suffix("").parts


def calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            yield node


def test_rules_are_handed_the_time_and_fresh_ids() -> None:
    """A rule that reads the clock itself cannot be tested at one minute to midnight."""
    assert_none(
        f"{path}:{node.lineno}"
        for path in RULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.stmt | ast.Call) and is_ambient(node)
    )


def is_ambient(node: ast.stmt | ast.Call) -> bool:
    """Whether it reads the clock or makes ids, or imports what does."""
    match node:
        case ast.Import(names=names):
            return not AMBIENT_MODULES.isdisjoint(each.name for each in names)
        case ast.ImportFrom(module=module, names=names):
            return module in AMBIENT_MODULES or not AMBIENT_NAMES.isdisjoint(
                each.name for each in names
            )
        case ast.Call(func=ast.Attribute(value=ast.Name(id="func"))):
            # `func.now()` is SQL, and is looked for below.
            return False
        case ast.Call(func=ast.Attribute(attr=name)):
            return name in AMBIENT_METHODS
    return False


def test_statements_are_handed_the_time_and_fresh_ids() -> None:
    """What a rule decides and what the database writes would be two times."""
    assert_none(
        f"{path}: {text}" for path in RULES for text in texts_of(path) if AMBIENT_SQL.search(text)
    )


def test_who_receives_a_transaction_opens_none() -> None:
    """A part of a flow would be done although the flow failed."""
    assert_none(
        f"{path}:{call.lineno}: {call.func.attr}"
        for path in RULES
        if {"service", "repository"} & set(parts_of(path))
        for call in calls(path)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in {"transaction", "single", "commit", "rollback", "begin"}
    )


def tables_of(domain: str) -> set[str]:
    """The names of the tables that a domain owns."""
    module = importlib.import_module(f"domains.{domain}.tables")
    return {each.name for each in vars(module).values() if isinstance(each, Table)}


def test_every_table_has_one_owner() -> None:
    """Two rooms would write it, each by its own rules."""
    owned = [name for domain in DOMAINS for name in sorted(tables_of(domain))]
    assert len(owned) == len(set(owned))
    assert {table.name for table in EVERY_TABLE} - set(owned) == SHARED_TABLES
    assert {table.name for table in EVERY_TABLE} == set(metadata.tables)


def test_every_table_says_what_becomes_of_its_rows() -> None:
    """Processes could not write a new table, or could rewrite what is only ever appended."""
    silent = [table.name for table in metadata.tables.values() if not says_of_rows(table)]
    assert silent == []


def says_of_rows(table: Table) -> bool:
    """Whether it does, of columns that it has and that are written by somebody."""
    try:
        changed = set(rows_of(table).changed)
    except KeyError:
        return False
    return changed <= {column.name for column in table.columns if column.computed is None}


def test_a_table_that_says_nothing_is_found() -> None:
    """The test above would pass whatever a table says."""
    assert not says_of_rows(Table("silent", MetaData(), Column("number", Integer)))
    assert not says_of_rows(
        Table("wrong", MetaData(), Column("number", Integer), info=rows(changed=("no",)))
    )
    assert says_of_rows(Table("right", MetaData(), Column("number", Integer), info=only_appended()))


def test_foreign_keys_stay_inside_a_domain() -> None:
    """Neither domain could be deployed, tested or partitioned without the other."""
    assert_none(
        f"{domain}: {key}"
        for domain in DOMAINS
        for own in [tables_of(domain)]
        for name in sorted(own)
        for key in metadata.tables[name].foreign_keys
        if key.column.table.name not in own
    )


def test_a_domain_asks_only_its_own_tables() -> None:
    """A change of one domain's table would break another domain."""
    assert_none(
        f"{path}: {text}"
        for domain in DOMAINS
        for others in [set(metadata.tables) - tables_of(domain) - SHARED_TABLES]
        for path in files_of("domains")
        if path.parts[1] == domain
        for text in texts_of(path)
        if set(SQL_TABLE.findall(text)) & others
    )


def test_only_the_hot_paths_have_statements_of_their_own() -> None:
    """SQL would spread through the flows."""
    found = {path.parts[1] for path in files_of("orchestration") if path.stem == "statements"}
    assert found == HOT_PATHS


def test_every_adapter_is_protected() -> None:
    """A rule could reach somebody else's server past its port."""
    folders = {
        path.name for path in (ROOT / "infrastructure").iterdir() if (path / "__init__.py").exists()
    }
    adapters = {f"infrastructure.{name}" for name in folders - NOT_ADAPTERS}
    assert set(contracts()["outside"]["protected_modules"]) == adapters


def test_the_products_name_stands_only_where_it_must() -> None:
    """Renaming the product would be a hunt instead of one search."""
    assert_none(
        f"{path}:{number}: {line}"
        for path in files_of("domains", "orchestration", "infrastructure", "vocabulary")
        for number, line in enumerate(source_of(path).splitlines(), start=1)
        for rest in [PROTO_NAME.sub("", line).lower()]
        if PRODUCT in rest and not rest.lstrip().startswith(("from ", "import "))
    )
