"""The key that was meant is named, and none when nothing is near."""

from __future__ import annotations

import pytest

from server.interception.strict_json.key_hints import HINTS_MAX, KEY_CHARACTERS_MAX, KeyHints

HINTS = KeyHints(
    {
        "maxAmount": ["amount_max"],
        "minAmount": ["amount_min"],
        "value": ["value"],
        "valueTo": ["value_to"],
        "id": ["campaign_id"],
        "deperditionPerLevel": ["level_percent"],
        "rewards": ["rewards"],
    }
)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        # In another spelling, or by the name that callers of gRPC know.
        ("max_amount", "maxAmount"),
        ("max-amount", "maxAmount"),
        ("MAXAMOUNT", "maxAmount"),
        ("amount_max", "maxAmount"),
        ("campaignId", "id"),
        # Nearer to one than to the other.
        ("valueT", "valueTo"),
        ("valuee", "value"),
        ("vlaue", "value"),
        ("i", "id"),
        ("idd", "id"),
        ("iid", "id"),
        ("di", "id"),
        ("is", "id"),
        # Two slips of a long key.
        ("maxAmuont", "maxAmount"),
        ("mxaAmuont", "maxAmount"),
        ("deperditonPerLevl", "deperditionPerLevel"),
        ("rewadrs", "rewards"),
        ("reward", "rewards"),
        ("rewardss", "rewards"),
        ("prewards", "rewards"),
        ("rewerds", "rewards"),
        ("levelPercnt", "deperditionPerLevel"),
    ],
)
def test_the_nearest_key_is_named(typed: str, meant: str) -> None:
    """Whoever misspelled a key would be sent to another one, or nowhere."""
    assert HINTS.nearest(typed) == [meant]


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "x",
        "xy",
        "unheardOf",
        "vlaeu",
        "rwds",
        "maxi",
        "rewardsOfThree",
        "deperdition",
        "v" * 40,
    ],
)
def test_what_is_near_to_nothing_is_not_explained(typed: str) -> None:
    """A hint to something else would mislead."""
    assert HINTS.nearest(typed) == []


def test_equally_near_keys_are_all_named_up_to_a_few() -> None:
    """The one that was meant might not be the first."""
    hints = KeyHints({f"amount{letter}": [] for letter in "abcd"})
    assert hints.nearest("amount") == ["amounta", "amountb", "amountc"]
    assert len(hints.nearest("amount")) == HINTS_MAX
    assert KeyHints({"ab": [], "aabc": []}).nearest("aab") == ["ab", "aabc"]
    assert KeyHints({"maxAmount": [], "minAmount": []}).nearest("mAmount") == [
        "maxAmount",
        "minAmount",
    ]


def test_a_long_key_is_not_compared() -> None:
    """A sender could set what a comparison costs."""
    key = "k" * KEY_CHARACTERS_MAX
    hints = KeyHints({key: []})
    assert hints.nearest(key.upper()) == [key]
    assert hints.nearest(key + "_") == []
