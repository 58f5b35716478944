"""
Pointers for compiled code.

A pointer is what an array is without its owner, shape and bounds. To hand an array from
function to function counts references to it, atomically: 5 ns each, and more where two
threads count those of the same one. Who makes a pointer keeps the array.
"""

import operator

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, overload, register_model
from numba.np.arrayobj import make_array

# Bytes of a cache line.
LINE = 64


class Pointer(types.Type):
    """
    The type of a pointer to numbers; it is indexed as an array is.

    Parameters
    ----------
    dtype : numba.types.Type
    """

    def __init__(self, dtype):
        self.dtype = dtype
        super().__init__(f"pointer({dtype})")


@register_model(Pointer)
class _PointerModel(models.PrimitiveModel):
    def __init__(self, manager, pointer):
        element = manager.lookup(pointer.dtype).get_data_type()
        super().__init__(manager, pointer, element.as_pointer())


@intrinsic
def pointers(typing_context, values):
    """Return a named tuple with pointers in place of arrays, all in C order."""
    kinds = [Pointer(k.dtype) if isinstance(k, types.Array) else k for k in values]
    if len(set(kinds)) == 1:
        found = types.NamedUniTuple(kinds[0], len(kinds), values.instance_class)
    else:
        found = types.NamedTuple(kinds, values.instance_class)

    def generate(context, builder, signature, arguments):
        parts = []
        for i, kind in enumerate(values):
            part = builder.extract_value(arguments[0], i)
            if isinstance(kind, types.Array):
                part = make_array(kind)(context, builder, part).data
            parts.append(part)
        return context.make_tuple(builder, found, parts)

    return found(values), generate


@intrinsic
def pointer(typing_context, array):
    """Return a pointer to the first element of an array."""

    def generate(context, builder, signature, arguments):
        return make_array(array)(context, builder, arguments[0]).data

    return Pointer(array.dtype)(array), generate


@intrinsic
def move(typing_context, place, n):
    """Return a pointer that is so many numbers further."""

    def generate(context, builder, signature, arguments):
        return builder.gep(arguments[0], arguments[1:])

    return place(place, types.intp), generate


@intrinsic
def _read(typing_context, place, index):
    def generate(context, builder, signature, arguments):
        return builder.load(builder.gep(arguments[0], arguments[1:]))

    return place.dtype(place, types.intp), generate


@intrinsic
def _write(typing_context, place, index, value):
    def generate(context, builder, signature, arguments):
        builder.store(arguments[2], builder.gep(arguments[0], [arguments[1]]))
        return context.get_dummy_value()

    return types.none(place, types.intp, place.dtype), generate


@overload(operator.getitem)
def _get(place, index):
    if isinstance(place, Pointer):
        return lambda place, index: _read(place, index)


@overload(operator.setitem)
def _set(place, index, value):
    if isinstance(place, Pointer):
        return lambda place, index, value: _write(place, index, value)


@intrinsic
def _prefetch(typing_context, place, index):
    def generate(context, builder, signature, arguments):
        byte = ir.IntType(8).as_pointer()
        found = builder.bitcast(builder.gep(arguments[0], [arguments[1]]), byte)
        kinds = [byte, *3 * [ir.IntType(32)]]
        function = builder.module.declare_intrinsic(
            "llvm.prefetch", (byte,), ir.FunctionType(ir.VoidType(), kinds)
        )
        # To be read, to stay in all caches, data.
        builder.call(function, [found, *(ir.IntType(32)(x) for x in (0, 3, 1))])
        return context.get_dummy_value()

    return types.none(place, types.intp), generate


@intrinsic
def _per_line(typing_context, place):
    def generate(context, builder, signature, arguments):
        return ir.Constant(ir.IntType(64), LINE * 8 // place.dtype.bitwidth)

    return types.int64(place), generate


@numba.njit(nogil=True, cache=True, inline="always")
def prefetch(place, n):
    """Fetch the cache lines of so many numbers, of which none need to be there."""
    for i in range(0, n, _per_line(place)):
        _prefetch(place, i)
