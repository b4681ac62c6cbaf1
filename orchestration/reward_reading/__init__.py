"""What became of events, read from several domains at once."""
