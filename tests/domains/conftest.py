"""How properties are tried."""

from __future__ import annotations

from hypothesis import settings

# No deadline: a slow moment of the machine is no fault. No memory of past failures: every run
# tries something else, and prints how to repeat what failed.
settings.register_profile("properties", deadline=None, database=None, print_blob=True)
settings.load_profile("properties")
