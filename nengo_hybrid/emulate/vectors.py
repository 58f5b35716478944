"""
Vectors for compiled code.

A vector is so many numbers of a kind that instructions take at once. Loops over arrays
are vectorized only where the compiler can tell that none overlap and that sums stay
narrow; these always are, on any processor. Integers wrap around as registers do.
"""

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

# Numbers of 32 bits in a register of 512 bits. Wider vectors take several.
LANES = 16
# LLVM 15, of Numba 0.61, names some of what is used here in another way.
LLVM = binding.llvm_version_info[0]
# What LLVM calls it.
TOWARD_ZERO = 0


class Vector(types.Type):
    """
    The type of a vector.

    Parameters
    ----------
    dtype : numba.types.Type
    count : int
    """

    def __init__(self, dtype, count):
        self.dtype, self.count = dtype, count
        super().__init__(f"vector({dtype}, {count})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, vector):
        # A mask has a bit for each number.
        is_mask = vector.dtype == types.boolean
        element = manager.lookup(vector.dtype).get_value_type()
        element = ir.IntType(1) if is_mask else element
        super().__init__(manager, vector, ir.VectorType(element, vector.count))


def _vector_at(builder, place, index, kind):
    return builder.bitcast(builder.gep(place, [index]), kind.as_pointer())


def _loader(count):
    @intrinsic
    def load(typing_context, place, index):
        """Load the numbers that start at an index."""
        vector = Vector(place.dtype, count)

        def generate(context, builder, signature, arguments):
            found = _vector_at(builder, *arguments, context.get_value_type(vector))
            return builder.load(found, align=place.dtype.bitwidth // 8)

        return vector(place, types.intp), generate

    return load


load, load_narrow, load_word, load_wide = map(
    _loader, (LANES, 2 * LANES, 4 * LANES, 16 * LANES)
)


@intrinsic
def store(typing_context, place, index, vector):
    """Store numbers from an index on."""

    def generate(context, builder, signature, arguments):
        found = _vector_at(builder, *arguments[:2], arguments[2].type)
        builder.store(arguments[2], found, align=place.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.none(place, types.intp, vector), generate


@intrinsic
def fill(typing_context, vector, number):
    """Return a vector of the type of another, with the same number everywhere."""

    def generate(context, builder, signature, arguments):
        return _splat(builder, arguments[1], vector.count)

    return vector(vector, vector.dtype), generate


def _splat(builder, number, count):
    whole = ir.Constant(ir.VectorType(number.type, count), ir.Undefined)
    whole = builder.insert_element(whole, number, ir.IntType(32)(0))
    first = ir.Constant(ir.VectorType(ir.IntType(32), count), [0] * count)
    return builder.shuffle_vector(whole, whole, first)


@intrinsic
def widen(typing_context, vector):
    """Return numbers of 8 bits in 16, and others in 32."""
    dtype = types.int16 if vector.dtype == types.int8 else types.int32
    wide = Vector(dtype, vector.count)

    def generate(context, builder, signature, arguments):
        if vector == wide:
            return arguments[0]
        return builder.sext(arguments[0], context.get_value_type(wide))

    return wide(vector), generate


def _binary(name):
    @intrinsic
    def operation(typing_context, a, b):
        def generate(context, builder, signature, arguments):
            return getattr(builder, name)(*arguments)

        return a(a, a), generate

    return operation


add, subtract, bit_or = map(_binary, ("add", "sub", "or_"))
shift_left, shift_right = map(_binary, ("shl", "ashr"))


@intrinsic
def greater(typing_context, a, b):
    """Return the mask of where a number is greater than another."""

    def generate(context, builder, signature, arguments):
        return builder.icmp_signed(">", *arguments)

    return Vector(types.boolean, a.count)(a, a), generate


def _extremum(sign):
    @intrinsic
    def operation(typing_context, a, b):
        def generate(context, builder, signature, arguments):
            return builder.select(builder.icmp_signed(sign, *arguments), *arguments)

        return a(a, a), generate

    return operation


largest, smallest = map(_extremum, (">", "<"))


@intrinsic
def at_most(typing_context, a, b):
    """Return the smaller of two numbers without sign."""

    def generate(context, builder, signature, arguments):
        return builder.select(builder.icmp_unsigned("<", *arguments), *arguments)

    return a(a, a), generate


@intrinsic
def total(typing_context, vector):
    """Return the sum of all numbers."""

    def generate(context, builder, signature, arguments):
        kind = arguments[0].type
        name = f"llvm.vector.reduce.add.v{vector.count}i{vector.dtype.bitwidth}"
        function = ir.FunctionType(kind.element, [kind])
        function = builder.module.declare_intrinsic(name, (), function)
        return builder.call(function, arguments)

    return vector.dtype(vector), generate


@intrinsic
def select(typing_context, mask, a, b):
    """Return the one number where a mask is set, and the other elsewhere."""

    def generate(context, builder, signature, arguments):
        return builder.select(*arguments)

    return a(mask, a, a), generate


@intrinsic
def as_bits(typing_context, mask):
    """Return a mask of 16 as an integer; its lowest bit is the first."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(LANES))

    return types.uint16(mask), generate


@intrinsic
def count_bits(typing_context, word):
    """Count the bits of an integer that are set."""

    def generate(context, builder, signature, arguments):
        return builder.ctpop(*arguments)

    return word(word), generate


@intrinsic
def list_bits(typing_context, word, numbers):
    """Return the 8-bit numbers at the bits that are set first, any others behind."""

    def generate(context, builder, signature, arguments):
        word, listed = arguments
        kind = listed.type
        masks = ir.VectorType(ir.IntType(1), numbers.count)
        mask = builder.bitcast(word, masks)
        if LLVM >= 19:
            name = f"llvm.experimental.vector.compress.v{numbers.count}i8"
            function = ir.FunctionType(kind, [kind, masks, kind])
            function = builder.module.declare_intrinsic(name, (), function)
            return builder.call(function, [listed, mask, listed])
        place = cgutils.alloca_once(builder, kind)
        start = builder.bitcast(place, ir.IntType(8).as_pointer())
        name = f"llvm.masked.compressstore.v{numbers.count}i8"
        function = ir.FunctionType(ir.VoidType(), [kind, start.type, masks])
        function = builder.module.declare_intrinsic(name, (), function)
        builder.call(function, [listed, start, mask])
        return builder.load(place)

    return numbers(types.uint64, numbers), generate


@intrinsic
def any_bit(typing_context, vector, bits):
    """Tell whether any number has any of some bits."""

    def generate(context, builder, signature, arguments):
        has = builder.and_(arguments[0], _splat(builder, arguments[1], vector.count))
        has = builder.icmp_signed("!=", has, ir.Constant(has.type, None))
        has = builder.bitcast(has, ir.IntType(vector.count))
        return builder.icmp_signed("!=", has, has.type(0))

    return types.boolean(vector, types.int32), generate


@intrinsic
def lowest(typing_context, vector, count):
    """Return the first so many numbers of a vector, and zeros behind them."""

    def generate(context, builder, signature, arguments):
        whole, n = arguments
        kind = ir.VectorType(n.type, vector.count)
        lanes = ir.Constant(kind, list(range(vector.count)))
        inside = builder.icmp_signed("<", lanes, _splat(builder, n, vector.count))
        return builder.select(inside, whole, ir.Constant(whole.type, None))

    return vector(vector, types.int32), generate


def _scaling(element):
    @intrinsic
    def scale(typing_context, values, kept):
        """
        Return values times shares in 4096ths, truncated toward zero.

        Shares are given as the bits of floats. Exact for integers of 23 bits and sign
        while floats are rounded `TOWARD_ZERO`: the product, with all but 24 of its bits
        cut off, has the right whole part. The wide one holds all bits of any product.
        """

        def generate(context, builder, signature, arguments):
            shares = ir.VectorType(ir.FloatType(), values.count)
            floats = ir.VectorType(element, values.count)
            shares = builder.bitcast(arguments[1], shares)
            if floats != shares.type:
                shares = builder.fpext(shares, floats)
            product = builder.fmul(builder.sitofp(arguments[0], floats), shares)
            return builder.fptosi(product, arguments[0].type)

        return values(values, values), generate

    return scale


scale, scale_wide = map(_scaling, (ir.FloatType(), ir.DoubleType()))


@intrinsic
def get_rounding(typing_context):
    """Return how this thread rounds floats."""

    def generate(context, builder, signature, arguments):
        kind = ir.FunctionType(ir.IntType(32), [])
        name = "llvm.get.rounding" if LLVM >= 16 else "llvm.flt.rounds"
        function = builder.module.declare_intrinsic(name, (), kind)
        return builder.call(function, [])

    return types.int32(), generate


@intrinsic
def set_rounding(typing_context, mode):
    """Let this thread round floats as ``mode`` says; see `TOWARD_ZERO`."""

    def generate(context, builder, signature, arguments):
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(32)])
        function = builder.module.declare_intrinsic("llvm.set.rounding", (), kind)
        builder.call(function, arguments)
        return context.get_dummy_value()

    return types.none(types.int32), generate
