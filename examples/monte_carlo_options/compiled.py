"""The inner loops compiled by numba, for engines that have it: kernel="numba".

Its numbers differ from numpy's in the last bits of float32, so its runs have an arithmetic of
their own. exp, log, sine and cosine are polynomials (Cephes, Moshier) to 2 units in the last
place: LLVM makes vector instructions of them, which it can't of calls into a library.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .normals import Float32Array, FloatArray

LANES = 256  # paths at a time, in the innermost cache
STEPS = 256  # of a float32 sum; the totals are float64


class Loops(NamedTuple):
    """`normals(bits, out)`: uint32 to standard normals, as many; the first half are radii.

    `accumulate(walk)`: running sums along the first axis, in place.
    `growth_sums(motions, volatility, weights, out)`: the sum over steps j of
    weights[k, j] (exp(volatility motions[j]) - 1) into the float64 out[k].
    """

    normals: Callable[[Any, Float32Array], None]
    accumulate: Callable[[Float32Array], None]
    growth_sums: Callable[[Float32Array, np.float32, Float32Array, FloatArray], None]


@functools.cache
def loops() -> Loops:
    """Compiled at the first call, which takes some seconds. Raises ImportError without numba."""
    import numba

    f32, i32 = np.float32, np.int32
    inline = numba.njit(inline="always", fastmath={"contract", "nsz", "arcp"}, error_model="numpy")
    compiled = numba.njit(nogil=True, fastmath={"contract", "nsz", "arcp"}, error_model="numpy")

    @inline
    def exponential(x: Any) -> Any:
        whole = np.floor(x * f32(1.44269504) + f32(0.5))
        x = x - whole * f32(0.693359375) + whole * f32(2.12194440e-4)
        y = f32(1.9875691500e-4)
        y = y * x + f32(1.3981999507e-3)
        y = y * x + f32(8.3334519073e-3)
        y = y * x + f32(4.1665795894e-2)
        y = y * x + f32(1.6666665459e-1)
        y = y * x + f32(5.0000001201e-1)
        y = y * x * x + x + f32(1.0)
        return y * np.int32((i32(whole) + i32(127)) << i32(23)).view(np.float32)

    @inline
    def logarithm(x: Any) -> Any:
        bits = np.float32(x).view(np.int32)
        power = i32((bits - i32(0x3F3504F3)) >> i32(23))
        f = np.int32(bits - (power << i32(23))).view(np.float32) - f32(1.0)
        y = f32(7.0376836292e-2)
        y = y * f - f32(1.1514610310e-1)
        y = y * f + f32(1.1676998740e-1)
        y = y * f - f32(1.2420140846e-1)
        y = y * f + f32(1.4249322787e-1)
        y = y * f - f32(1.6668057665e-1)
        y = y * f + f32(2.0000714765e-1)
        y = y * f - f32(2.4999993993e-1)
        y = y * f + f32(3.3333331174e-1)
        square = f * f
        return y * f * square - f32(0.5) * square + f + f32(power) * f32(math.log(2.0))

    @compiled
    def normals(bits: Any, out: Float32Array) -> None:
        half = out.size // 2
        for i in range(half):
            u = f32(bits[i]) * f32(2.0**-32) + f32(2.0**-34)
            radius = np.sqrt(f32(-2.0) * min(logarithm(u), f32(0.0)))
            turn = f32(i32(bits[half + i])) * f32(2.0**-30)  # quarters, -2 to 2
            quarter = np.floor(turn + f32(0.5))
            a = (turn - quarter) * f32(math.pi / 2)
            s = a * a
            sine = (f32(-1.9515295891e-4) * s + f32(8.3321608736e-3)) * s - f32(1.6666654611e-1)
            sine = sine * s * a + a
            cosine = f32(2.443315711809948e-5) * s - f32(1.388731625493765e-3)
            cosine = (cosine * s + f32(4.166664568298827e-2)) * s * s - f32(0.5) * s + f32(1.0)
            number = i32(quarter)
            if number & 1:
                sine, cosine = cosine, -sine
            if number & 2:
                sine, cosine = -sine, -cosine
            out[i] = radius * cosine
            out[half + i] = radius * sine

    @compiled
    def accumulate(walk: Float32Array) -> None:
        for j in range(1, walk.shape[0]):
            before, row = walk[j - 1], walk[j]
            for p in range(row.size):
                row[p] += before[p]

    @compiled
    def growth_sums(
        motions: Float32Array, volatility: np.float32, weights: Float32Array, out: FloatArray
    ) -> None:
        n, width = motions.shape
        n_rows = len(weights)
        sums = np.empty((n_rows, LANES), np.float32)
        exponentials = np.empty(LANES, np.float32)
        for begin in range(0, width, LANES):
            length = min(LANES, width - begin)
            for first in range(0, n, STEPS):
                sums[:] = f32(0.0)
                for j in range(first, min(first + STEPS, n)):
                    row = motions[j, begin : begin + length]
                    for p in range(row.size):
                        exponentials[p] = exponential(volatility * row[p]) - f32(1.0)
                    for k in range(n_rows):
                        weight, total = weights[k, j], sums[k]
                        for p in range(row.size):
                            total[p] += weight * exponentials[p]
                for k in range(n_rows):
                    total = sums[k]
                    for p in range(length):
                        out[k, begin + p] += total[p]

    return Loops(normals, accumulate, growth_sums)
