"""As much of torch as nodes/host/ uses: an array with torch's names for a few things."""

from __future__ import annotations

from typing import Any

import numpy as np

float16, float32, uint8 = (np.dtype(name) for name in ("float16", "float32", "uint8"))


dtype = np.dtype


class Tensor:
    """Holds the array itself: like torch's, it shares memory with the numpy array that it was made from."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self._array = array

    @property
    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._array.dtype

    def detach(self) -> Tensor:
        return self

    def to(self, device: str, dtype: np.dtype[Any]) -> Tensor:
        assert device == "cpu"
        return Tensor(self._array.astype(dtype, copy=False))

    def numpy(self) -> np.ndarray[Any, Any]:
        return self._array

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, key: Any) -> Tensor:
        return Tensor(self._array[key])


def from_numpy(array: np.ndarray[Any, Any]) -> Tensor:
    return Tensor(array)
