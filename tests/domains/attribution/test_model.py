"""Through which door somebody came."""

from __future__ import annotations

import pytest

from domains.attribution.model import Source, Utm, classify

NOTHING = Utm()
EVERYTHING = Utm(source="a", medium="b", campaign="c", term="d", content="e")


@pytest.mark.parametrize(
    ("names_referrer", "utm", "source"),
    [
        (True, NOTHING, Source.REFERRAL_LINK),
        (True, EVERYTHING, Source.REFERRAL_LINK),
        (False, EVERYTHING, Source.PAID_AD),
        (False, Utm(source="newsletter"), Source.PAID_AD),
        (False, Utm(medium="email"), Source.PAID_AD),
        (False, Utm(campaign="spring"), Source.PAID_AD),
        (False, Utm(term="shoes", content="hero"), Source.DIRECT),
        (False, NOTHING, Source.DIRECT),
    ],
)
def test_a_person_s_link_goes_before_an_advertisement(
    *, names_referrer: bool, utm: Utm, source: Source
) -> None:
    """A referrer would lose to an advertisement, or search words alone would make one."""
    assert classify(names_referrer=names_referrer, utm=utm) is source
