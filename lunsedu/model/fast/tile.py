"""A few rows times a matrix, with the sums held in the processor's registers.

A loop in numba adds to numbers that lie in memory: it loads a sum, adds four products, stores it
again. For five rows that is half of the work. Here the sums of a tile (five rows, sixteen columns:
ten registers of eight numbers) stay in registers until they are complete, and each number of the
matrix is loaded once for all rows. numba has no word for a register, so the loop of a tile is
written in the language that numba itself writes, LLVM's:

    for i in range(inner):
        for r in range(rows):
            sums[r] += x[r, i] * w[i, o : o + 16]

To cut a product like this is the way of BLIS (Van Zee and van de Geijn 2015, ACM TOMS 41(3), the
micro-kernel). The tests hold `multiply` against x @ w.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from lunsedu.model.fast.loops import compiled, f32

NUMBERS = 8  # in a register
REGISTER = ir.VectorType(ir.FloatType(), NUMBERS)
INT = ir.IntType(32)


@compiled()
def multiply(x: np.ndarray, w: np.ndarray, y: np.ndarray) -> None:
    """y [N, out] = x [N, in] @ w [in, out], all float32, a row's numbers next to each other.

    in must be 1 or more. Arrays that lie by columns are refused, by numba's TypingError; that the
    sizes fit is not checked.
    """
    (N, inner), outer = x.shape, w.shape[1]
    for n in range(0, N, 5):
        left, o = N - n, 0
        if left == 1:  # two sums alone would keep no processor busy
            while o + 4 * NUMBERS <= outer:
                _tile(x, w, y, n, o, 1, 4)
                o += 4 * NUMBERS
        while o + 2 * NUMBERS <= outer:
            if left >= 5:
                _tile(x, w, y, n, o, 5, 2)
            elif left == 4:
                _tile(x, w, y, n, o, 4, 2)
            elif left == 3:
                _tile(x, w, y, n, o, 3, 2)
            elif left == 2:
                _tile(x, w, y, n, o, 2, 2)
            else:
                _tile(x, w, y, n, o, 1, 2)
            o += 2 * NUMBERS
    for n in range(N):
        for o in range(outer - outer % (2 * NUMBERS), outer):
            total = f32(0)
            for i in range(inner):
                total += x[n, i] * w[i, o]
            y[n, o] = total


@intrinsic(prefer_literal=True)
def _tile(
    typing_context: Any, x: Any, w: Any, y: Any, n: Any, o: Any, rows: Any, wide: Any = None
) -> Any:
    """y[n : n + rows, o : o + 8 * wide] = x[n : n + rows] @ w[:, o : o + 8 * wide].

    rows and wide, the registers for a row, are numbers written out: there is code for each pair.
    """
    for array in (x, w, y):
        if array.ndim != 2 or array.dtype != types.float32 or array.layout == "F":
            return None  # numba says then that it finds no such function
    signature = types.void(x, w, y, types.intp, types.intp, rows, wide)
    R, V = rows.literal_value, wide.literal_value

    def generate(context, builder, signature, arguments):
        arrays = zip(signature.args[:3], arguments[:3], strict=True)
        x, w, y = (context.make_array(kind)(context, builder, array) for kind, array in arrays)
        n, o = arguments[3:5]

        def pairs(i):
            weights = [_load(builder, w, i, _plus(builder, o, NUMBERS * v)) for v in range(V)]
            numbers = [_eight_times(builder, x, _plus(builder, n, r), i) for r in range(R)]
            return [(number, weight) for number in numbers for weight in weights]

        sums = _sum_up(builder, builder.extract_value(w.shape, 0), pairs, R * V)
        for r in range(R):
            for v in range(V):
                at = _place(builder, y, _plus(builder, n, r), _plus(builder, o, NUMBERS * v))
                builder.store(sums[V * r + v], builder.bitcast(at, REGISTER.as_pointer()), align=4)
        return context.get_dummy_value()

    return signature, generate


# --- words of LLVM --------------------------------------------------------------------------------


def _plus(builder, number, constant):
    return builder.add(number, number.type(constant))


def _place(builder, array, row, column):
    """The address of array[row, column]."""
    length = builder.ashr(builder.extract_value(array.strides, 0), row.type(2))  # of four bytes
    return builder.gep(array.data, [builder.add(builder.mul(row, length), column)])


def _load(builder, array, row, column):
    """A register with array[row, column : column + 8]."""
    at = builder.bitcast(_place(builder, array, row, column), REGISTER.as_pointer())
    return builder.load(at, align=4)


def _eight_times(builder, array, row, column):
    """A register that holds array[row, column] eight times."""
    number, none = builder.load(_place(builder, array, row, column)), REGISTER(ir.Undefined)
    first = builder.insert_element(none, number, INT(0))
    return builder.shuffle_vector(first, none, ir.VectorType(INT, NUMBERS)([0] * NUMBERS))


def _sum_up(builder, length, pairs, count):
    """The sums over i < length of the products of pairs(i): so many registers."""
    before, body = builder.block, builder.append_basic_block("sum_up")
    after = builder.append_basic_block("summed_up")
    builder.branch(body)
    builder.position_at_end(body)
    i = builder.phi(length.type)
    sums = [builder.phi(REGISTER) for _ in range(count)]
    fused = ("contract",)  # a * b + sum may be one instruction
    longer = [
        builder.fadd(total, builder.fmul(a, b, flags=fused), flags=fused)
        for total, (a, b) in zip(sums, pairs(i), strict=True)
    ]
    following = _plus(builder, i, 1)
    builder.cbranch(builder.icmp_signed("<", following, length), body, after)
    i.add_incoming(length.type(0), before)
    i.add_incoming(following, body)
    for total, more in zip(sums, longer, strict=True):
        total.add_incoming(REGISTER([0.0] * NUMBERS), before)
        total.add_incoming(more, body)
    builder.position_at_end(after)
    return longer
