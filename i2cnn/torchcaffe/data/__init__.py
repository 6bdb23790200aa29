"""From a database's records to batches."""
