"""How an arrival is marked: by what was said, else by the page's address."""

from __future__ import annotations

import pytest

from domains.attribution.model import UTM_CHARACTERS_MAX, Utm, utm_of

PAGE = "https://shop.example/p/blue-mug"
MARKED = f"{PAGE}?utm_source=news&utm_medium=email&utm_campaign=spring&utm_term=mug&utm_content=top"


@pytest.mark.parametrize(
    ("address", "marks"),
    [
        (
            MARKED,
            Utm(source="news", medium="email", campaign="spring", term="mug", content="top"),
        ),
        (f"{PAGE}?fCtx=abc&utm_campaign=spring#top", Utm(campaign="spring")),
        (f"{PAGE}?utm_campaign=caf%C3%A9+au%20lait", Utm(campaign="café au lait")),
        # Of two the first counts, as for whoever reads the address from left to right.
        (f"{PAGE}?utm_source=first&utm_source=second", Utm(source="first")),
        (f"{PAGE}?utm_source=a%00b", Utm(source="ab")),
        (f"{PAGE}?utm_source=%ff", Utm(source="\N{REPLACEMENT CHARACTER}")),
        ("/p/blue-mug?utm_source=news", Utm(source="news")),
        ("?utm_source=news", Utm(source="news")),
        (f"{PAGE}?UTM_Source=news", Utm(source="news")),
        # Pages whose program escaped the address once too often.
        (f"{PAGE}?id=1&amp;utm_source=news", Utm(source="news")),
        *((f"{PAGE}?utm_source={word}", Utm()) for word in ("null", "undefined", "%20", "{{a}}")),
        (f"{PAGE}#utm_source=news", Utm()),
        (f"{PAGE}?utm_source=", Utm()),
        (PAGE, Utm()),
        ("", Utm()),
        # No address at all, which is no fault of the visitor's.
        ("https://[", Utm()),
        ("https://[?utm_source=news", Utm()),
    ],
)
def test_an_address_says_which_advertisement_it_is_of(address: str, marks: Utm) -> None:
    """A rule for visitors by an advertisement would meet none whose page sends its address."""
    assert utm_of(Utm(), address) == marks


def test_what_was_said_comes_before_the_address() -> None:
    """A shop that corrects a parameter would be overruled by its own old link."""
    said = Utm(source="partner")
    assert utm_of(said, MARKED) == Utm(
        source="partner", medium="email", campaign="spring", term="mug", content="top"
    )


@pytest.mark.parametrize("word", ["null", "undefined", " ", "[object Object]", "NaN"])
def test_what_a_program_writes_for_none_is_none(word: str) -> None:
    """Everybody would come by an advertisement, and the one that they came by be hidden."""
    assert utm_of(Utm(source=word, campaign=word), PAGE) == Utm()
    assert utm_of(Utm(source=word), MARKED).source == "news"


@pytest.mark.parametrize("is_said", [True, False])
@pytest.mark.parametrize("address", [PAGE, "https://["])
def test_of_a_long_parameter_the_beginning_is_kept(address: str, *, is_said: bool) -> None:
    """The arrival would be refused, or its row would grow as its sender likes."""
    long = "x" * (UTM_CHARACTERS_MAX + 1)
    if is_said:
        marks = utm_of(Utm(source=long), address)
    else:
        marks = utm_of(Utm(), f"{PAGE}?utm_source={long}")
    assert marks == Utm(source=long[:-1])
