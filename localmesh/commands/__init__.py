"""Commands that start the mesh on this host."""
