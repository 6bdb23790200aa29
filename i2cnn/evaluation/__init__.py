"""Person-independent folds, the jobs of a run, and the processes that run them."""

#: Patches per face, k of the paper's Table 4.
PATCH_COUNTS = (1, 5, 60)
#: So many faces at most have exact SVMs; those of more are on projected features.
EXACT_FACES = 10_000
