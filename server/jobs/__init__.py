"""What runs on a clock or in the background, one file a job, each calling one flow."""
