"""Pages that end early because their items are large."""

from __future__ import annotations

import pytest

from guerdon.business.v1 import business_pb2
from infrastructure.rpc.paging import PAGE_BYTES_MAX, PAGE_SIZE_MAX, page_of, page_start

LARGE = PAGE_BYTES_MAX // 3


@pytest.mark.parametrize(
    ("sizes", "pages"),
    [
        ([1] * 5, [5]),
        ([LARGE] * 5, [2, 2, 1]),
        # Larger than a page: it comes alone.
        ([2 * PAGE_BYTES_MAX, 1, 2 * PAGE_BYTES_MAX], [1, 1, 1]),
        ([LARGE, LARGE], [2]),
        ([], [0]),
    ],
)
def test_a_walk_meets_every_item_once_on_pages_that_can_be_sent(
    sizes: list[int], pages: list[int]
) -> None:
    """A few long texts would make a list that nobody can read any more."""
    items = list(enumerate(sizes))
    met: list[int] = []
    counts: list[int] = []
    token = ""
    while True:
        start = page_start(
            business_pb2.ListMerchantsRequest(page_size=PAGE_SIZE_MAX, page_token=token), int
        )
        after = -1 if start.after is None else start.after
        page = page_of(
            [item for item in items if item[0] > after][: start.limit],
            start,
            key=lambda item: item[0],
            to_message=lambda item: business_pb2.Merchant(
                merchant_id=str(item[0]), name="x" * item[1]
            ),
            response=business_pb2.ListMerchantsResponse,
        )
        met += [int(each.merchant_id) for each in page.merchants]
        counts.append(len(page.merchants))
        size = sum(each.ByteSize() for each in page.merchants)
        assert size <= PAGE_BYTES_MAX or len(page.merchants) == 1
        token = page.next_page_token
        if not token:
            break
    assert met == list(range(len(sizes)))
    assert counts == pages
