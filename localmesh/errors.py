"""How the embedded stack says no."""

from __future__ import annotations


class StackError(Exception):
    """A stack, or a part of it, cannot run.

    The message is for whoever typed the command: what is wrong, and what to do about it.
    """
