"""
Arithmetic in registers of 32 bits, for compiled code.

Numba widens sums and products of 32-bit integers to 64 bits; these stay, wrap around as
the registers do, and let the compiler work on twice as many at once.
"""

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array


def _operation(name):
    @intrinsic
    def operation(typing_context, a, b):
        def generate(context, builder, signature, arguments):
            return getattr(builder, name)(*arguments)

        return types.int32(types.int32, types.int32), generate

    return operation


add, subtract, multiply = map(_operation, ("add", "sub", "mul"))
bit_or, bit_and, bit_xor = map(_operation, ("or_", "and_", "xor"))
shift_left, shift_right = map(_operation, ("shl", "ashr"))


@intrinsic
def first_byte(typing_context, word):
    """Return which byte of a word of 8 is the first that is not 0."""

    def generate(context, builder, signature, arguments):
        zeros = builder.cttz(*arguments, ir.IntType(1)(1))
        return builder.lshr(zeros, ir.IntType(64)(3))

    return types.uint64(types.uint64), generate


@intrinsic
def prefetch(typing_context, array, index):
    """Fetch the cache line of an element of an array of one axis."""

    def generate(context, builder, signature, arguments):
        found = make_array(signature.args[0])(context, builder, arguments[0])
        byte = ir.IntType(8).as_pointer()
        place = builder.bitcast(builder.gep(found.data, [arguments[1]]), byte)
        kinds = [byte, *3 * [ir.IntType(32)]]
        function = builder.module.declare_intrinsic(
            "llvm.prefetch", (byte,), ir.FunctionType(ir.VoidType(), kinds)
        )
        # To be read, to stay in all caches, data.
        builder.call(function, [place, *(ir.IntType(32)(x) for x in (0, 3, 1))])
        return context.get_dummy_value()

    return types.none(array, types.uint64), generate


@numba.njit(nogil=True, cache=True, inline="always")
def wrap(value, bits):
    """Cut a value to a register of some bits and a sign, as two's complement does."""
    return shift_right(shift_left(value, 31 - bits), 31 - bits)


@numba.njit(nogil=True, cache=True, inline="always")
def scale(value, kept):
    """Return value * kept / 4096, truncated toward zero, for kept of 0 to 4096."""
    # The product has up to 43 bits; in two parts, each fits. What rounds down makes up
    # for it below zero.
    high, low = shift_right(value, 12), bit_and(value, 4095)
    up = bit_and(shift_right(value, 31), 4095)
    part = shift_right(add(multiply(low, kept), up), 12)
    return add(multiply(high, kept), part)
