"""Currencies of shops, by their codes in ISO 4217."""

from __future__ import annotations

_WITHOUT_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_WITH_THREE = "BHD IQD JOD KWD LYD OMR TND"
_WITH_FOUR = "CLF UYW"
_DIGITS = {
    code: digits
    for digits, codes in ((0, _WITHOUT_DIGITS), (3, _WITH_THREE), (4, _WITH_FOUR))
    for code in codes.split()
}


def minor_digits(currency: str | None) -> int:
    """How many digits amounts of a currency have after the point; 2 if it is not known."""
    return _DIGITS.get(currency or "", 2)
