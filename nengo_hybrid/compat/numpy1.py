"""NumPy as the ``np`` of one module, with the calls of NumPy 1 that NumPy 2 dropped."""

from types import ModuleType

import numpy as np


class Numpy1(ModuleType):
    """
    NumPy as it is, except for the functions below, which act as they did in NumPy 1.

    One module of a library gets an instance as its own ``np``. NumPy itself, and
    everybody else's view of it, stay as they are.
    """

    def __init__(self):
        super().__init__("numpy", np.__doc__)

    def __getattr__(self, name):
        return getattr(np, name)

    @staticmethod
    def array(*args, **kwargs):
        """Make an array; ``copy=False`` copies only if needed, where NumPy 2 raises."""
        if kwargs.get("copy") is False:
            kwargs["copy"] = None
        return np.array(*args, **kwargs)

    @staticmethod
    def fromstring(data, dtype=float):
        """Return the values in a bytes object as an array that can be written to."""
        return np.frombuffer(data, dtype).copy()

    @staticmethod
    def in1d(values, members):
        """Return a flat mask of the values that are among the members."""
        return np.isin(np.ravel(values), members)

    @staticmethod
    def find_common_type(array_types, scalar_types=()):
        """Return the type that can hold values of all the given types."""
        return np.result_type(*array_types, *scalar_types)


def give_numpy_1(module):
    """Put a `Numpy1` in the place of the module's own ``np``."""
    module.np = Numpy1()
    return True
