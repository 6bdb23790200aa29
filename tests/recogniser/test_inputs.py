"""What a recogniser takes as a picture."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from i2cnn.datasets import embedded_root
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image

PATH = sorted(embedded_root().glob("*.png"))[0]


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser("smile")


def test_a_file_a_pil_image_and_an_array_get_one_answer(recogniser: Recogniser) -> None:
    image = read_image(PATH)
    (expected,) = recogniser.predict(image)
    for given in (PATH, str(PATH), Image.open(PATH), np.atleast_3d(image)):
        (face,) = recogniser.predict(given)
        assert face.scores == expected.scores
        again = recogniser.predict_face(given, face.detection)
        assert again.scores == expected.scores


def test_a_reference_is_made_of_files(recogniser: Recogniser) -> None:
    paths = [PATH, str(sorted(embedded_root().glob("*.png"))[8])]
    from_files = recogniser.reference_from(paths)
    from_arrays = recogniser.reference_from([read_image(path) for path in paths])
    np.testing.assert_array_equal(from_files.mean, from_arrays.mean)


def test_what_is_no_picture_is_refused(recogniser: Recogniser) -> None:
    (face,) = recogniser.predict(PATH)
    batch = np.stack([read_image(PATH)] * 2)[..., None].repeat(3, axis=3)
    for given in (None, [PATH], batch, read_image(PATH) / 255):
        for ask in (recogniser.predict, lambda x: recogniser.predict_face(x, face.detection)):
            with pytest.raises(InputError, match=r"a picture cannot be a|an array"):
                ask(given)
