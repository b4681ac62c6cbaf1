"""What looking for a customer costs a shop, whatever customers it and others have."""

from __future__ import annotations

from itertools import product

import pytest
from jinja2 import Environment, FileSystemLoader
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from infrastructure.database.sql_files import ROOT
from infrastructure.database.transaction import Database
from tests.support.shop import a_shop

ROWS = 30_000
CUSTOMERS = ("'new'", "'account-0'", "NULL")
RECEIVED = ("now()", "now() - interval '1 hour'")
# Ids that grow with time, as real ones do: an index of them is nearly in the order of the table.
_FILL = text(
    """
    INSERT INTO shop_order (merchant_id, order_reference, create_time, purchase_id,
        first_report_time, state, event_time, body_hash, order_time, content_key,
        customer_reference, total, currency, items, token_digests, claim_count, claim_group_id,
        claim_time, claim_digest)
    SELECT :merchant_id, 'old-' || n, now(),
           CAST(lpad(to_hex(1700000000000 + n), 12, '0') || '70008000000000000000' AS uuid),
           now() + n * interval '1 millisecond', 'confirmed', now(), 'hash', now(), '1',
           'account-' || (n % :accounts), 100, 'EUR', '[]', ARRAY[sha256('token')], 1,
           gen_random_uuid(), now(), sha256('token')
    FROM generate_series(1, CAST(:rows AS int)) AS n
    """
)
# Part of the statement of a report.
_KNOWN_CUSTOMER = (
    Environment(loader=FileSystemLoader(ROOT), autoescape=False)
    .get_template("domains/purchases/repository/customer.sql")
    .make_module()
)
_ASKED = _KNOWN_CUSTOMER.customer_of(  # type: ignore[attr-defined]  # the file's macro
    merchant_id="$1", customer_reference="$2", receive_time="$3", now="$4"
)


@pytest.mark.parametrize("accounts", [1, 3, 10, 10_000])
async def test_a_customer_is_looked_for_by_its_index(
    engine: AsyncEngine, real_database: Database, accounts: int
) -> None:
    """Each report of every shop would walk all orders of all shops: one that files its sales under
    a few accounts makes the statistics say that walking is short.
    """
    shop = await a_shop(real_database)
    rows = {"merchant_id": shop.merchant_id, "rows": ROWS, "accounts": accounts}
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(_FILL, rows)
        await connection.execute(text("VACUUM ANALYZE shop_order"))
        for customer, received in product(CUSTOMERS, RECEIVED):
            asked = f"'{shop.merchant_id}', {customer}, {received}, now()"
            plans = await _plans(connection, asked)
            scans = [each for each in plans if "Scan" in each]
            told = "\n".join([asked, *plans])
            assert all("ix_shop_order_customer" in each for each in scans), told
            assert not any(each.strip().startswith("Filter:") for each in plans), told


async def _plans(connection: AsyncConnection, asked: str) -> list[str]:
    """How the customer is looked for, planned for any values and for these."""
    plans: list[str] = []
    for mode in ("force_generic_plan", "force_custom_plan"):
        await connection.exec_driver_sql(f"SET plan_cache_mode = {mode}")
        await connection.exec_driver_sql(f"PREPARE asked AS {_ASKED}")
        plans += (await connection.exec_driver_sql(f"EXPLAIN EXECUTE asked ({asked})")).scalars()
        await connection.exec_driver_sql("DEALLOCATE asked")
    await connection.exec_driver_sql("RESET plan_cache_mode")
    return plans
