"""Whether the hot paths cost the same in large situations as in small ones. `make scale`."""
