"""The values of people."""

from __future__ import annotations

from uuid import uuid4

import pytest

from domains.identity.errors import WalletAddressInvalidError
from domains.identity.model import IdentityNode, NodeKind, normalize_wallet
from tests.support.identity import FIRST_SEEN, WALLET
from vocabulary.ids import IdentityGroupId, IdentityNodeId, MerchantId


@pytest.mark.parametrize("text", [WALLET, "0x52908400098527886E0F7030069857D2E4169EE7"])
def test_one_wallet_has_one_spelling(text: str) -> None:
    """Two spellings of a wallet would be two people."""
    assert normalize_wallet(text, field="wallet_address") == WALLET


@pytest.mark.parametrize(
    "text",
    ["", "0x", WALLET[:-1], WALLET + "0", "0x52908400098527886e0F7030069857D2E4169EE7"],
)
def test_a_mistyped_wallet_is_refused_by_field(text: str) -> None:
    """A wrong checksum that passed would pay a stranger, or nobody."""
    with pytest.raises(WalletAddressInvalidError) as refused:
        normalize_wallet(text, field="wallet_address")

    assert refused.value.field == "wallet_address"
    assert refused.value.metadata == {"wallet_address": text}


@pytest.mark.parametrize("kind", NodeKind)
@pytest.mark.parametrize("merchant_id", [None, MerchantId(uuid4())])
def test_only_a_wallet_means_somebody_everywhere(
    kind: NodeKind, merchant_id: MerchantId | None
) -> None:
    """A client without a merchant would be found at every shop; a wallet with one at one only."""

    def node() -> IdentityNode:
        return IdentityNode(
            identity_node_id=IdentityNodeId(uuid4()),
            identity_group_id=IdentityGroupId(uuid4()),
            kind=kind,
            value="somebody",
            merchant_id=merchant_id,
            create_time=FIRST_SEEN,
        )

    if (kind is NodeKind.WALLET) == (merchant_id is None):
        assert node().merchant_id == merchant_id
    else:
        with pytest.raises(AssertionError):
            node()
