# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Your own data set, from a folder to a report
#
# A folder per label, names that begin with the person: `happy/anna_1.png`. Here, a few rendered
# faces that ship with the package take the place of yours.

# %%
import json
import shutil
from collections import Counter
from pathlib import Path

from i2cnn import Recogniser, load_dataset
from i2cnn.cli.main import main

shipped = load_dataset("synthetic")
for sample in shipped.samples:
    wanted = sample.label in ("happy", "surprise") and "1." in sample.image
    if wanted and sample.subject <= "S04":
        target = Path("photos") / sample.label / f"{sample.subject}_{sample.image}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(shipped.root / sample.image, target)

# %%
dataset = load_dataset("folder", Path("photos"))
print(Counter(sample.label for sample in dataset.samples), len(dataset.subjects), "people")

# %% [markdown]
# Each person is tested once, by what was trained on others. Stopped at any moment, the same
# command goes on. Where landmarks are wrong, `i2cnn faces --review run` corrects them before the
# first result is there.
#
# In a shell, this is `i2cnn evaluate photos --dataset folder --out run ...`; `--dry-run` says first
# what it costs. Without a network (`--k none`), the other methods are done in seconds: HOG is
# level with a network on a few hundred pictures.

# %%
words = ["evaluate", "photos", "--dataset=folder", "--out=run", "--folds=4", "--k=none"]
assert main([*words, "--rivals=hog", "--device=cpu"]) == 0

# %% [markdown]
# The report is `run/report/report.html`; its numbers are beside it.

# %%
metrics = json.loads(Path("run/report/metrics.json").read_text())
for method in metrics["methods"]:
    low, high = method["interval95"]
    print(f"{method['id']:<20} {method['mean']:.1%} ({low:.1%} to {high:.1%})")

# %% [markdown]
# A recogniser of these labels is there, too, with a card that says how it did on people whom it had
# not seen. `i2cnn predict album --model run/recogniser` uses it in a shell.

# %%
recogniser = Recogniser("run/recogniser")
for face in recogniser.predict(next(Path("photos/surprise").iterdir())):
    print(face.label, face.scores)
