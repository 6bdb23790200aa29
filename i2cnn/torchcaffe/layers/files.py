"""Layers of files: three that read those a text file lists, and HDF5Output, which writes one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.core.layer import Layer, Shape, count, register
from i2cnn.torchcaffe.core.position import Position
from i2cnn.torchcaffe.data.pictures import ListedPictures
from i2cnn.torchcaffe.data.reader import BatchReader
from i2cnn.torchcaffe.data.windows import DrawnWindows
from i2cnn.torchcaffe.formats.storage import read_dataset
from i2cnn.torchcaffe.layers.source import DataSource, PrefetchingData
from i2cnn.torchcaffe.sizes import int32
from i2cnn.util.arrays import Float32Array
from i2cnn.util.errors import InputError
from i2cnn.util.files import check_regular


class _Listed(DataSource):
    """Reads a text file that lists files."""

    def read_list(self, source: str) -> list[str]:
        """Lines that are not empty."""
        try:
            check_regular(Path(source))
            text = Path(source).read_text(encoding="utf-8", errors="surrogateescape")
        except OSError as error:
            raise self.fail(f"the list {source!r} cannot be read ({error})") from None
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if not lines:
            raise self.fail(f"the list {source!r} is empty")
        return lines


@register("ImageData")
class ImageData(PrefetchingData, _Listed):
    """Images and labels from a text file with one path and label per line."""

    tops = (2, 2)

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.image_data_param
        self.check_batch(p.batch_size)
        if bool(p.new_height) != bool(p.new_width):
            raise self.fail("give both new_height and new_width, or neither")
        self.check_shapes([(3, p.new_height, p.new_width)])
        log.info("image_data_layer.cpp:38", f"Opening file {p.source}")
        lines = [self._split(line) for line in self.read_list(p.source)]
        log.info("image_data_layer.cpp:63", f"A total of {len(lines)} images.")
        pictures = ListedPictures(self.param, self.context, lines)
        reader = BatchReader(self.param.name, pictures, self.context.device)
        self.start(reader, p, "image_data_layer.cpp:90")
        if self.context.shard.count > 1 and not p.shuffle:
            log.warning(
                "image_data_layer.cpp",
                f"layer {self.param.name!r}: all processes read the same images, as in genuine "
                "Caffe; use shuffle: true, or an LMDB",
            )

    def _split(self, line: str) -> tuple[str, int]:
        path, _, label = line.rpartition(" ")
        try:
            return path.strip(), int32(label)
        except ValueError:
            raise self.fail(f"the line {line!r} is not a path and a label") from None


@register("WindowData")
class WindowData(PrefetchingData):
    """Random foreground and background windows, warped to `crop_size`, and their classes."""

    tops = (2, 2)

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.window_data_param
        self.check_batch(p.batch_size)
        windows = DrawnWindows(self.param, self.context)
        reader = BatchReader(self.param.name, windows, self.context.device)
        self.start(reader, p, "window_data_layer.cpp")


@register("HDF5Data")
class HDF5Data(_Listed):
    """Rows of HDF5 files, one data set per top, by name; a text file lists the files."""

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.hdf5_data_param
        if self.param.HasField("transform_param"):
            raise self.fail("HDF5Data does not transform data.")
        self.check_batch(p.batch_size)
        log.info("hdf5_data_layer.cpp:81", f"Loading list of HDF5 filenames from: {p.source}")
        lines = self.read_list(p.source)
        # As in Caffe spaces separate files, except in the name of one that is there.
        self.files = [n for x in lines for n in ([x] if Path(x).exists() else x.split())]
        log.info("hdf5_data_layer.cpp:95", f"Number of HDF5 files: {len(self.files)}")
        self.file_order = self._order(len(self.files))
        self.file, self.row, self.offset = 0, 0, 0
        #: Shapes of the tops' rows, which are those of the first file.
        self.rows: list[Shape] = []
        self._load()

    def _order(self, number: int) -> list[int]:
        order = list(range(number))
        if self.param.hdf5_data_param.shuffle:
            # Caffe takes the C library's random numbers here, which random_seed does not affect.
            order = np.argsort(self.context.rng.draw(number), kind="stable").tolist()
        return order

    def _load(self) -> None:
        path = self.files[self.file_order[self.file]]
        self.arrays: list[Float32Array] = []  # the file before makes room
        try:
            check_regular(Path(path))
            with h5py.File(path, "r") as file:
                missing = [name for name in self.param.top if name not in file]
                arrays = [read_dataset(file[n]) for n in self.param.top if n in file]
        except (AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
            raise self.fail(f"{path} cannot be read ({error})") from None
        if missing:
            raise self.fail(f"{path} has no data set {missing[0]!r}")
        if any(a.ndim < 1 or len(a) != len(arrays[0]) for a in arrays):
            raise self.fail(f"the data sets of {path} differ in their number of rows")
        if not len(arrays[0]):
            raise self.fail(f"{path} is empty")
        self.rows = self.rows or [a.shape[1:] for a in arrays]
        if any(count(a.shape[1:]) != count(r) for a, r in zip(arrays, self.rows, strict=True)):
            raise self.fail(f"rows of {path} have another size than those of the first file")
        self.arrays = [a.reshape(len(a), *r) for a, r in zip(arrays, self.rows, strict=True)]
        self.row_order = self._order(len(arrays[0]))

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [(self.param.hdf5_data_param.batch_size, *row) for row in self.rows]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        if not self.arrays:  # an error was raised as the file was read
            self._load()
        tops = [np.empty(shape, np.float32) for shape in self.reshape([])]
        shard = self.context.shard
        for i in range(len(tops[0])):
            while self.offset % shard.count != shard.rank:
                self._advance()
            for top, array in zip(tops, self.arrays, strict=True):
                top[i] = array[self.row_order[self.row]]
            self._advance()
        return [torch.from_numpy(top).to(self.context.device) for top in tops]

    def _advance(self) -> None:
        self.offset += 1
        self.row += 1
        if self.row < len(self.row_order):
            return
        self.row = 0
        if len(self.files) == 1:
            self.row_order = self._order(len(self.row_order))
            return
        self.file += 1
        if self.file == len(self.files):
            self.file, self.file_order = 0, self._order(len(self.files))
        self._load()

    def position(self) -> Position:
        return {
            "place": np.array([self.file, self.row, self.offset]),
            "files": np.array(self.file_order),
            "rows": np.array(self.row_order),
        }

    def restore_position(self, position: Position) -> None:
        self.file, self.row, self.offset = (int(i) for i in position["place"])
        self.file_order = [int(i) for i in position["files"]]
        if sorted(self.file_order) != list(range(len(self.files))):
            raise self.fail("the list of files differs from the one the training was stopped with")
        self._load()
        rows = [int(i) for i in position["rows"]]
        if sorted(rows) != list(range(len(self.row_order))):
            path = self.files[self.file_order[self.file]]
            raise self.fail(f"the rows of {path} differ from those the training was stopped with")
        self.row_order = rows


@register("HDF5Output")
class HDF5Output(Layer):
    """Writes one batch into an HDF5 file, as data sets `data` and `label` of four axes."""

    bottoms = (2, 2)
    tops = (0, 0)
    differentiable = False

    def setup(self, shapes: Sequence[Shape]) -> None:
        self.path = self.param.hdf5_output_param.file_name
        self.written = False
        if self.context.shard.count > 1:
            raise self.fail("HDF5Output cannot write the batches of several processes")
        try:
            check_regular(Path(self.path))
            h5py.File(self.path, "w").close()
        except (InputError, OSError, ValueError) as error:
            raise self.fail(f"Failed to open HDF5 file {self.path!r} ({error})") from None

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        if any(not 1 <= len(shape) <= 4 for shape in shapes) or shapes[0][0] != shapes[1][0]:
            raise self.fail(
                "data blob and label blob must have the same batch size and at most four axes, "
                f"not {shapes[0]} and {shapes[1]}"
            )
        return []

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        if self.written:
            raise self.fail(
                f"{self.path} has its batch already, and Caffe's HDF5Output holds no second one; "
                "run one iteration, with a batch_size that takes all items"
            )
        log.info("hdf5_output_layer.cpp", f"Saving HDF5 file {self.path}")
        try:
            with h5py.File(self.path, "a") as file:
                for name, bottom in zip(("data", "label"), bottoms, strict=True):
                    shape = (*bottom.shape, 1, 1, 1)[:4]
                    file.create_dataset(name, data=bottom.reshape(shape).cpu().numpy())
        except (OSError, ValueError) as error:
            raise self.fail(f"{self.path} cannot be written ({error})") from None
        self.written = True
        log.info("hdf5_output_layer.cpp", f"Successfully saved {len(bottoms[0])} rows")
        return []
