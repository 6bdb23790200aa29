"""Boosted networks: the patches, AdaBoost by hand, copies of faces."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from i2cnn.rivals.align import HEIGHT, WIDTH
from i2cnn.rivals.bdbn import PATCHES, SIDE, boost_outputs, patches_of, with_copies


def test_patches_reach_all_corners_and_are_standardised() -> None:
    faces = 50 * np.random.RandomState(0).rand(2, HEIGHT, WIDTH).astype(np.float32)
    patches = patches_of(faces)
    assert patches.shape == (PATCHES, 2, (SIDE // 2) ** 2)
    last = torch.from_numpy(faces[1, -SIDE:, -SIDE:]).reshape(12, 2, 12, 2).mean(dim=(1, 3))
    assert torch.allclose(patches[-1, 1], ((last - last.mean()) / last.std()).ravel(), atol=1e-4)


def test_boosting_by_hand() -> None:
    signs = torch.tensor([1.0, 1, -1, -1])
    right_but_one = signs.clone()
    right_but_one[0] = -1
    right_but_another = signs.clone()
    right_but_another[3] = 1
    alphas = boost_outputs(
        torch.stack([right_but_one, right_but_another, -signs]), signs, torch.full((4,), 0.25)
    )
    # Errors 1/4, then 1/6 of the weights: log 3 / 2 and log 5 / 2. What is always wrong is left.
    total = math.log(3) + math.log(5)
    assert alphas.tolist() == pytest.approx([math.log(3) / total, math.log(5) / total, 0])


def test_copies_are_the_faces_moved_and_mirrored() -> None:
    faces = np.random.RandomState(0).rand(2, HEIGHT, WIDTH).astype(np.float32)
    copies = with_copies(faces)
    assert copies.shape == (12, HEIGHT, WIDTH)
    assert (copies[:2] == faces).all()
    assert (copies[6:8] == faces[:, :, ::-1]).all()
    assert not np.allclose(copies[2], faces[0], atol=0.1)
