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
# # Predict and explain
#
# A recogniser that ships names the expression of a face, and shows which patches decided.

# %%
import matplotlib.pyplot as plt

from i2cnn import Recogniser, load_dataset
from i2cnn.models.card import read_card
from i2cnn.recogniser.draw import annotate
from i2cnn.util.images import read_image

recogniser = Recogniser("smile")

# %% [markdown]
# Its card says what it was made of, and what it can't do. Read it first.

# %%
card = read_card(recogniser.bundle.folder)
assert card is not None
print(card.warning)
print("people apart:", card.as_is)

# %% [markdown]
# A picture may be a path, a PIL image or an array. This one is a rendered face that ships with
# the package. `smile` learned from photographs, and takes about half of the rendered smiles for
# neutral faces; here is one that it knows.

# %%
dataset = load_dataset("synthetic")
sample = next(s for s in dataset.samples if s.label == "happy" and s.subject == "S02")
picture = read_image(dataset.root / sample.image)
faces = recogniser.predict(picture)
for face in faces:
    print(face.label, {label: round(score, 2) for label, score in face.scores.items()})

# %% [markdown]
# The SVM is linear: its decision is the sum of what each patch says. Votes above 0 are for the
# label.

# %%
face = faces[0]
ranked = sorted(face.patches.items(), key=lambda item: -item[1])
for name, vote in [*ranked[:3], *ranked[-3:]]:
    print(f"{name:<22} {vote:+.3f}")

# %% [markdown]
# Where these patches lie: blue for the label, red against it.

# %%
drawing = annotate(picture, faces, [recogniser.heat_map(face) for face in faces])
plt.imshow(drawing[:, :, ::-1])
plt.axis("off")
plt.savefig("explained.png", bbox_inches="tight")

# %% [markdown]
# Many pictures, in a few threads; a picture that cannot be used has an `error` and does not stop
# the others.

# %%
known = [s for s in dataset.samples if s.label in recogniser.labels and s.subject == "S02"]
paths = [dataset.root / s.image for s in known]
for result in recogniser.predict_many(paths):
    print(result.file, [face.label for face in result.faces], result.error)
