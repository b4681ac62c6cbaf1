"""The platforms of shops: how each signs and spells what it reports, a module each."""

from __future__ import annotations

from collections.abc import Mapping

from orchestration.purchase_webhook.platforms.custom import CustomPlatform
from orchestration.purchase_webhook.platforms.platform import ShopPlatform
from orchestration.purchase_webhook.platforms.proofs import Message, Proof, SignatureFaultyError

PLATFORMS: Mapping[str, ShopPlatform] = {each.name: each for each in (CustomPlatform(),)}
"""Every platform by its name."""

__all__ = [
    "PLATFORMS",
    "CustomPlatform",
    "Message",
    "Proof",
    "ShopPlatform",
    "SignatureFaultyError",
]
