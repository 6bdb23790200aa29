"""Records from databases to batches."""
