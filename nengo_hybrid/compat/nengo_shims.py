"""Shims for Nengo 4.1.0 itself, which was released before NumPy 2.4."""

import functools
from types import SimpleNamespace

import numpy as np

from nengo_hybrid.compat.numpy1 import give_numpy_1
from nengo_hybrid.compat.shim import Shim, installed_version


def meets_numpy(*least):
    """Return a condition: Nengo is 4.1.0 or before, and NumPy at least ``least``."""

    def condition():
        nengo, numpy = installed_version("nengo"), installed_version("numpy")
        return nengo <= (4, 1, 0) and numpy >= least

    return condition


def filter_vectors_as_columns(module):
    """
    Let ``Synapse.filt`` take a signal with one axis.

    Its steps return arrays of shape (1,), which NumPy 2.4 no longer stores in the place
    of a scalar. So the signal is filtered as a column, on the same memory.
    """
    filt = module.Synapse.filt
    if hasattr(filt, "__wrapped__"):
        return True

    @functools.wraps(filt)
    def filt_any(self, x, dt=None, axis=0, y0=0, copy=True, filtfilt=False):
        keywords = {"dt": dt, "y0": y0, "copy": copy, "filtfilt": filtfilt}
        if np.ndim(x) != 1:
            return filt(self, x, axis=axis, **keywords)
        return filt(self, np.asarray(x)[:, None], axis=0, **keywords)[:, 0]

    module.Synapse.filt = filt_any
    return True


def reads_a_newer_cache():
    """Return True if NumPy 1 may meet decoders that Nengo cached under NumPy 2."""
    return installed_version("nengo") <= (4, 1, 0) and installed_version("numpy") < (2,)


def miss_what_cannot_be_read(module):
    """
    Let the cache of decoders, which all environments of a user share, solve anew.

    `nengo.cache` takes a KeyError for a miss, and solves and stores again.
    """
    nco = module.nco
    if isinstance(nco, SimpleNamespace):
        return True

    def read(fileobj):
        try:
            return nco.read(fileobj)
        except ImportError as error:
            raise KeyError("cached under another NumPy") from error

    module.nco = SimpleNamespace(read=read, write=nco.write)
    return True


NENGO_SHIMS = (
    Shim(
        name="nengo-filt-vector",
        library="nengo",
        module="nengo.synapses",
        defect="Synapse.filt fails on a signal with one axis, because NumPy 2.4 stores "
        "no array of shape (1,) as a scalar; none filed with Nengo",
        link="https://github.com/numpy/numpy/pull/29841",
        goes_when="nengo > 4.1.0 passes test_synapses.py::test_filt on NumPy 2.4",
        condition=meets_numpy(2, 4),
        apply=filter_vectors_as_columns,
    ),
    Shim(
        name="nengo-expm-norm",
        library="nengo",
        module="nengo._vendor.scipy.sparse.linalg_onenormest",
        defect="np.in1d is gone from NumPy 2.4, so that a LinearFilter of order 200 or "
        "more cannot be discretized; none filed with Nengo",
        link="https://github.com/numpy/numpy/pull/29978",
        goes_when="nengo > 4.1.0 discretizes a filter of order 256 on NumPy 2.4",
        condition=meets_numpy(2, 4),
        apply=give_numpy_1,
    ),
    Shim(
        name="nengo-expm-product",
        library="nengo",
        module="nengo._vendor.scipy.sparse.linalg_expm",
        defect="np.find_common_type is gone from NumPy 2.0, so that a LinearFilter of "
        "order 200 or more cannot be discretized; none filed with Nengo",
        link="https://github.com/nengo/nengo/blob/v4.1.0/nengo/_vendor/scipy/sparse/"
        "linalg_expm.py",
        goes_when="nengo > 4.1.0 discretizes a filter of order 256 on NumPy 2",
        condition=meets_numpy(2, 0),
        apply=give_numpy_1,
    ),
    Shim(
        name="nengo-cache-numpy-2",
        library="nengo",
        module="nengo.cache",
        defect="a network cannot be built on NumPy 1 if its decoders were cached under "
        "NumPy 2, whose pickles name numpy._core.numeric; none filed with Nengo",
        link="https://github.com/nengo/nengo/blob/v4.1.0/nengo/cache.py",
        goes_when="nengo > 4.1.0 takes an unreadable entry for a miss, or NumPy 1 goes",
        condition=reads_a_newer_cache,
        apply=miss_what_cannot_be_read,
    ),
)
