"""What is told from outside: groups of settings, each read once from the environment.

`docs/settings.md` explains each setting to operators.
"""
