"""Through which door somebody came."""

from __future__ import annotations

import pytest

from domains.attribution.model import Source, Utm, source_of

NOTHING = Utm()
EVERYTHING = Utm(source="a", medium="b", campaign="c", term="d", content="e")


@pytest.mark.parametrize(
    ("utm", "source"),
    [
        (EVERYTHING, Source.PAID_AD),
        (Utm(source="newsletter"), Source.PAID_AD),
        (Utm(medium="email"), Source.PAID_AD),
        (Utm(campaign="spring"), Source.PAID_AD),
        (Utm(term="shoes", content="hero"), Source.DIRECT),
        (NOTHING, Source.DIRECT),
    ],
)
def test_an_advertisement_names_itself(utm: Utm, source: Source) -> None:
    """Search words alone would make an advertisement."""
    assert source_of(utm) is source
