"""What stands in front of every method, one step a file, composed in `chain`."""
