"""Makes the batches of an ImageData layer: reads, decodes and transforms listed pictures."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from i2cnn.torchcaffe.core.context import Context
from i2cnn.torchcaffe.core.position import Position, restore_rng, rng_position
from i2cnn.torchcaffe.core.rng import CaffeRNG
from i2cnn.torchcaffe.data.batches import Batch, BatchMaker, Decoders
from i2cnn.torchcaffe.data.encoded import read_picture
from i2cnn.torchcaffe.data.transform import DataTransformer, Image
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.proto import LayerParameter
from i2cnn.util.errors import InputError


class ListedPictures(BatchMaker):
    """Batches of listed pictures, in the list's order or shuffled anew in each epoch.

    Parameters
    ----------
    param : LayerParameter
        An ImageData layer.
    context : Context
        Phase, generator and shard of the net.
    pictures : sequence of (str, int)
        Name, below root_folder, and label of each picture.
    """

    def __init__(
        self, param: LayerParameter, context: Context, pictures: Sequence[tuple[str, int]]
    ) -> None:
        p, rng = param.image_data_param, context.rng
        self.param = p
        self.pictures = pictures
        self.shard = context.shard
        self.owner = f"{context.net}: layer {param.name!r}"
        self.transformer = DataTransformer(param.transform_param, context.train, param.name)
        # Draws in Caffe's order (the transformer twice, as in BatchMaker), so that all that
        # follows gets Caffe's numbers.
        self.transformer.seed_from(rng)
        self.shuffler = CaffeRNG(int(rng.draw(1)[0])) if p.shuffle else None
        #: Never changed in place: positions have it too.
        self.order = np.arange(len(pictures))
        self._shuffle()
        self.line = int(rng.draw(1)[0]) % p.rand_skip if p.rand_skip else 0
        if self.line >= len(pictures):
            raise self.fail(f"rand_skip skips all {len(pictures)} images")
        first, _ = pictures[self.order[self.line]]
        self.shape = self.transformer.output_shape(*self._read(first).shape)
        self.transformer.seed_from(rng)

    def _shuffle(self) -> None:
        if self.shuffler is None:
            return
        order, i = self.order.tolist(), len(self.order) - 1
        while i:
            for number in self.shuffler.draw(i).tolist():
                j = number // (2**32 // (i + 1))  # as boost::uniform_int, which draws again above i
                if j <= i:
                    order[i], order[j] = order[j], order[i]
                    i -= 1
        self.order = np.array(order)

    def _read(self, name: str) -> Image:
        p = self.param
        try:
            return read_picture(p.root_folder + name, p.is_color, (p.new_height, p.new_width))
        except InputError as error:
            raise self.fail(str(error)) from None

    def _take(self) -> tuple[str, int]:
        """Name and label of the next picture."""
        picture = self.pictures[int(self.order[self.line])]
        self.line += 1
        if self.line == len(self.order):
            self.line = 0
            self._shuffle()
        return picture

    def make(self, pool: Decoders) -> Batch:
        size = self.param.batch_size
        taken = [self._take() for _ in range(size)]
        draws = self.transformer.draws(size)
        position = self.position()
        first = self._read(taken[0][0])  # each batch has the size of its first image
        with self._naming(taken[0][0]):
            channels, height, width = self.transformer.output_shape(*first.shape)
        images = np.empty((size, height, width, channels), np.float32)

        def transform(i: int) -> None:
            name, _ = taken[i]
            image = self._read(name) if i else first
            with self._naming(name):
                self.transformer.apply(image, None if draws is None else draws[i], images[i])

        pool.for_each(transform, size)
        return Batch(
            images=torch.from_numpy(images),
            draws=None,
            labels=np.array([label for _, label in taken], np.float32),
            keys=[name.encode(errors="surrogateescape") for name, _ in taken],
            position=position,
        )

    @staticmethod
    @contextlib.contextmanager
    def _naming(name: str) -> Iterator[None]:
        """Add to an error the picture that it is of."""
        try:
            yield
        except InputError as error:
            raise CaffeError(f"{error} ({name})") from None

    def position(self) -> Position:
        return {
            "place": np.array(self.line),
            "order": self.order,
            **rng_position(self.transformer.rng, "crop_"),
            **rng_position(self.shuffler, "shuffle_"),
        }

    def restore_position(self, position: Position) -> None:
        order = np.asarray(position["order"])
        if not np.array_equal(np.sort(order), np.arange(len(self.pictures))):
            raise self.fail("the list of images differs from the one the training was stopped with")
        self.line, self.order = int(position["place"]), order
        restore_rng(self.transformer.rng, position, "crop_")
        restore_rng(self.shuffler, position, "shuffle_")
