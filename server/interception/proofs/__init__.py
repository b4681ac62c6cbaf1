"""How callers prove who they are, a kind a file."""
