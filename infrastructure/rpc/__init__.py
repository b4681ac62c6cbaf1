"""What every servicer needs of gRPC: who calls, what the contract says, translation."""
