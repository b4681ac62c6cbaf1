"""Settings: one group a layer, frozen, each read once from the environment.

`docs/settings.md` explains each setting to operators.
"""
