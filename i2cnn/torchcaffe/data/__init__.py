"""The way from a database's records to batches."""
