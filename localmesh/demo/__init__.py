"""`guerdon demo`: a real shop's history, told on the running mesh."""

from __future__ import annotations

from localmesh.demo.command import demo

__all__ = ["demo"]
