"""Blob: Caffe's N-dimensional array with data and diff, over PyTorch tensors.

Layers work on tensors in whatever memory format is fastest; pycaffe's users see NumPy arrays. A
blob converts between the two only when asked, so that training never pays for it.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.sizes import check_shape
from i2cnn.util.arrays import Float32Array


class _Plane:
    """A blob's data or diff: a tensor to the layers, a NumPy array to users."""

    def __init__(self, shape: Sequence[int], device: torch.device) -> None:
        self.device = device
        self._tensor: Tensor | None = None
        self._host: Tensor | None = None
        self._host_is_newer = False
        self.shape = tuple(shape)
        #: The tensor that `bf16` converted, its version then, and what came of it.
        self._converted: tuple[Tensor, int, Tensor] | None = None
        #: A gradient in bfloat16 that nobody has read yet.
        self._narrow: Tensor | None = None
        #: What a new array is filled with.
        self.initial = 0.0
        #: Whether other blobs may have their numbers in the tensor's memory, too.
        self.lent = False

    def resize(self, shape: Sequence[int]) -> None:
        """Keep the first numbers; lose all where more are asked for than there are."""
        if tuple(shape) == self.shape:
            return
        self._widen()
        count = math.prod(shape)
        if count > math.prod(self.shape):
            self._tensor = self._host = None
            self._host_is_newer = False
        if self._tensor is not None:
            self._tensor = self._tensor.reshape(-1)[:count].reshape(tuple(shape))
        if self._host is not None:
            self._host = self._host.reshape(-1)[:count].reshape(tuple(shape))
        self.shape = tuple(shape)

    @property
    def handed_out(self) -> bool:
        """True if an array was handed out that new values are copied into."""
        return self._host is not None and self.device.type == "cpu"

    def _widen(self) -> None:
        if self._narrow is not None:
            self._tensor, self._narrow = self._narrow.float(), None

    @property
    def tensor(self) -> Tensor:
        self._widen()
        if self._host is not None and self._host_is_newer:
            self._tensor = self._host if self.device.type == "cpu" else self._host.to(self.device)
            # A user may write through the array at any time, so a CPU blob keeps living in it.
            self._host_is_newer = False
        if self._tensor is None:
            self._tensor = torch.full(
                self.shape, self.initial, dtype=torch.float32, device=self.device
            )
        return self._tensor

    @tensor.setter
    def tensor(self, value: Tensor) -> None:
        self._host_is_newer, self._narrow, self.lent = False, None, False
        if self._host is not None and self.device.type == "cpu":
            if self._host.shape == value.shape:
                # An array handed out earlier stays a live view, as in pycaffe.
                if self._host.data_ptr() != value.data_ptr() or not value.is_contiguous():
                    self._host.copy_(value)
                self._tensor = self._host
                self.shape = tuple(value.shape)
                return
            self._host = None
        self._tensor = value
        self.shape = tuple(value.shape)

    def borrow(self, value: Tensor, lender: _Plane) -> None:
        """Set the tensor to one in the memory of another plane; arrays of the two share none."""
        self.tensor = value
        if self.handed_out:
            return  # it was copied
        if lender.handed_out:
            self._tensor = value.clone()
        else:
            self.lent = lender.lent = True

    def clear(self) -> None:
        """Set to the initial value; memory is not touched until it is read."""
        self._narrow = None
        if self._host is None:
            self._tensor = None
        else:
            self.tensor.fill_(self.initial)

    def add(self, value: Tensor, take: bool) -> None:
        """Add; after :meth:`clear` a value that may be taken becomes the array itself."""
        nothing = self._tensor is None and self._host is None and self._narrow is None
        if not (take and nothing and value.shape == self.shape):
            self.tensor.add_(value)
        elif value.dtype == torch.bfloat16:
            self._narrow = value.contiguous()
        else:
            self._tensor = value.contiguous()

    def take_narrow(self) -> Tensor | None:
        """A gradient in bfloat16 that nobody has read and whose memory is the caller's now."""
        taken, self._narrow = self._narrow, None
        return taken

    @property
    def array(self) -> Float32Array:
        if self.device.type == "cpu":
            # What a layer left in bfloat16 lives in float32 from now on.
            current = self.tensor.float().contiguous()
            self._host = current.clone() if self.lent else current
            self._tensor, self.lent = self._host, False
        elif not self._host_is_newer:
            current = self.tensor.detach().cpu().float().contiguous()
            if self._host is not None and self._host.shape == current.shape:
                self._host.copy_(current)
            else:
                self._host = current
            self._host_is_newer = True
        assert self._host is not None
        return self._host.numpy()

    @property
    def bf16(self) -> Tensor:
        """The numbers in bfloat16; converted again only where they may have changed."""
        tensor = self.tensor
        # Through an array, or in a CUDA graph, they change without a new version.
        if self._host is not None or self.device.type != "cpu" or tensor.is_inference():
            return tensor.bfloat16()
        kept = self._converted
        if kept is None or kept[0] is not tensor or kept[1] != tensor._version:
            kept = self._converted = (tensor, tensor._version, tensor.bfloat16())
        return kept[2]

    @bf16.setter
    def bf16(self, value: Tensor) -> None:
        self._converted = (self.tensor, self.tensor._version, value)

    def assign(self, value: ArrayLike) -> None:
        """Set all numbers, without fetching from a GPU those that go."""
        if self.device.type == "cpu":
            handed_out = self.handed_out
            self.array[...] = value
            if not handed_out:  # nobody has the array
                self._tensor, self._host = self.tensor.detach(), None
            return
        given = torch.empty(self.shape, pin_memory=self.device.type == "cuda")
        given.numpy()[...] = value
        self._tensor, self._host_is_newer = given.to(self.device, non_blocking=True), False
        if self._host is not None and self._host.shape == given.shape:
            self._host.copy_(given)

    def shaped(self, shape: Sequence[int]) -> _Plane:
        """The same numbers in another shape."""
        return self if tuple(shape) == self.shape else _Reshaped(self, shape)


class _Reshaped(_Plane):
    """The numbers of another plane in a shape of its own."""

    def __init__(self, whole: _Plane, shape: Sequence[int]) -> None:
        super().__init__(shape, whole.device)
        self._whole = whole

    @property
    def handed_out(self) -> bool:
        return self._whole.handed_out

    @property
    def tensor(self) -> Tensor:
        return self._whole.tensor.reshape(self.shape)

    @tensor.setter
    def tensor(self, value: Tensor) -> None:
        self._whole.tensor = value.reshape(self._whole.shape)

    def clear(self) -> None:
        self._whole.clear()

    def add(self, value: Tensor, take: bool) -> None:
        self._whole.add(value.reshape(self._whole.shape), take)

    @property
    def array(self) -> Float32Array:
        return self._whole.array.reshape(self.shape)

    @property
    def bf16(self) -> Tensor:
        return self._whole.bf16.reshape(self.shape)

    @bf16.setter
    def bf16(self, value: Tensor) -> None:
        self._whole.bf16 = value.reshape(self._whole.shape)

    def assign(self, value: ArrayLike) -> None:
        self.array[...] = value


class Blob:
    """Array with gradient (Caffe's Blob).

    Parameters
    ----------
    shape : sequence of int
        Dimensions; images are (N, C, H, W).
    device : torch.device
        Where the layers work on it.

    Attributes
    ----------
    data, diff : ndarray of float32
        Writable views. On a GPU they are copies that go back to the device before the next use.
    """

    def __init__(self, shape: Sequence[int], device: torch.device | str = "cpu") -> None:
        check_shape(shape)
        device = torch.device(device)
        self._data = _Plane(shape, device)
        self._diff = _Plane(shape, device)

    @property
    def shape(self) -> tuple[int, ...]:
        """Dimensions."""
        return self._data.shape

    @property
    def num(self) -> int:
        """Legacy name of the first dimension."""
        return self._legacy(0)

    @property
    def channels(self) -> int:
        """Legacy name of the second dimension."""
        return self._legacy(1)

    @property
    def height(self) -> int:
        """Legacy name of the third dimension."""
        return self._legacy(2)

    @property
    def width(self) -> int:
        """Legacy name of the fourth dimension."""
        return self._legacy(3)

    @property
    def count(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def _legacy(self, axis: int) -> int:
        if len(self.shape) > 4:
            raise CaffeError(f"a blob of shape {self.shape} has no num, channels, height, width")
        return self.shape[axis] if axis < len(self.shape) else 1

    @property
    def data(self) -> Float32Array:
        """Values, a writable view."""
        return self._data.array

    @data.setter
    def data(self, value: ArrayLike) -> None:
        self._data.assign(value)

    @property
    def diff(self) -> Float32Array:
        """Gradient, a writable view."""
        return self._diff.array

    @diff.setter
    def diff(self, value: ArrayLike) -> None:
        self._diff.assign(value)

    def reshape(self, *shape: int) -> None:
        """Change the dimensions; the first numbers are kept, as many as there are in the new shape.

        All are lost if that has more numbers than the shape before.
        """
        sizes = tuple(map(operator.index, shape))
        check_shape(sizes)
        self._data.resize(sizes)
        self._diff.resize(sizes)

    @property
    def tensor(self) -> Tensor:
        """Data as the layers see it."""
        return self._data.tensor

    @tensor.setter
    def tensor(self, value: Tensor) -> None:
        self._data.tensor = value
        self._diff.resize(value.shape)

    def borrow(self, value: Tensor, lender: Blob) -> None:
        """Set the data to what lies in another blob's memory; users get arrays of their own."""
        self._data.borrow(value, lender._data)
        self._diff.resize(value.shape)

    def borrow_grad(self, value: Tensor, lender: Blob) -> None:
        """Like :meth:`borrow`, of the diff."""
        self._diff.borrow(value, lender._diff)

    @property
    def bf16(self) -> Tensor:
        """Data in bfloat16, not to be written to; on a CPU converted once for each change.

        Who changes the data may set it.
        """
        return self._data.bf16

    @bf16.setter
    def bf16(self, value: Tensor) -> None:
        self._data.bf16 = value

    @property
    def grad(self) -> Tensor:
        """Diff as the layers see it."""
        return self._diff.tensor

    @grad.setter
    def grad(self, value: Tensor) -> None:
        self._diff.tensor = value

    def clear_grad(self) -> None:
        """Set the diff to its initial value: 0, or the blob's weight in the loss."""
        self._diff.clear()

    def add_grad(self, value: Tensor, take: bool) -> None:
        """Add to the diff; `take` lets it keep `value` itself, which nothing else may then use."""
        self._diff.add(value, take)

    def take_narrow_grad(self) -> Tensor | None:
        """The diff, if it is a gradient in bfloat16 that nobody has read; then set another one.

        Its memory is the caller's. Who reads `grad` instead finds it in float32.
        """
        return self._diff.take_narrow()

    def input(self) -> Tensor:
        """Data for a layer that overwrites this blob; a copy if a user holds the array."""
        return self.tensor.clone() if self._data.handed_out else self.tensor

    def set_loss_weight(self, weight: float) -> None:
        """Start the diff with the blob's weight in the loss; a user may set another one."""
        self._diff.initial = weight

    def share(self, other: Blob) -> None:
        """Use the data of another blob of this shape from now on (Caffe's ShareData)."""
        self._data = other._data

    def share_all(self, owner: Blob) -> None:
        """Use data and diff of another blob of as many numbers, in this blob's own shape."""
        self._data = owner._data.shaped(self.shape)
        self._diff = owner._diff.shaped(self.shape)
