"""What probes and load balancers ask."""
