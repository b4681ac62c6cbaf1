"""The platforms of shops: how each signs and spells what it reports, a module each."""

from __future__ import annotations

from collections.abc import Mapping

from domains.purchases.platforms.custom import CustomPlatform
from domains.purchases.platforms.platform import ShopPlatform
from domains.purchases.platforms.proofs import Message, Proof, SignatureFaultyError

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
