"""Person-independent folds, the jobs of a run, and who does them."""
