"""NumPy under the name ``np`` of one module, with the few calls of NumPy 1 that left in NumPy 2."""

from types import ModuleType

import numpy as np


class Numpy1(ModuleType):
    """
    NumPy as it is, except for the names defined here, which act as they did in NumPy 1.

    One module of a library gets an instance as its own ``np``; NumPy itself and everybody else's view of it stay as
    they are.
    """

    def __init__(self):
        super().__init__("numpy", np.__doc__)

    def __getattr__(self, name):
        return getattr(np, name)

    def __reduce__(self):
        return (Numpy1, ())

    @staticmethod
    def array(*args, **kwargs):
        """Make an array; ``copy=False`` copies only if needed, where NumPy 2 raises."""
        if kwargs.get("copy") is False:
            kwargs["copy"] = None
        return np.array(*args, **kwargs)

    @staticmethod
    def fromstring(data, dtype=float):
        """Make an array, which can be written to, of the values in a bytes object; gone in NumPy 2.3."""
        return np.frombuffer(data, dtype).copy()

    @staticmethod
    def in1d(values, members):
        """Return a mask of the values that are among the members, both flattened; gone in NumPy 2.4."""
        return np.isin(np.ravel(values), members)

    @staticmethod
    def find_common_type(array_types, scalar_types=()):
        """Return the type that can hold all the given types; gone in NumPy 2.0."""
        return np.result_type(*array_types, *scalar_types)


def give_numpy_1(module):
    """Put a `Numpy1` in the place of the module's own ``np``."""
    module.np = Numpy1()
    return True
