"""
The shims that let Nengo 4.1, NengoDL 3.6 and NengoLoihi 1.1 run on today's versions.

Today's are TensorFlow 2.16 to 2.21 with Keras 2 from tf-keras, NumPy 1.26 and 2, and
Python 3.10 to 3.13. ``import nengo_hybrid`` before ``import nengo_dl`` or
``import nengo_loihi`` is all a user does.

A shim acts when its module is imported, so neither TensorFlow, NengoDL nor NengoLoihi
is imported on its account; one that is not needed does nothing. Each says what defect
it mends, where that is reported, and when it is to be deleted: see `SHIMS`.
"""

from nengo_hybrid.compat.dl_shims import DL_SHIMS
from nengo_hybrid.compat.imports import follow, install_finder, shim_states
from nengo_hybrid.compat.loihi_shims import LOIHI_SHIMS
from nengo_hybrid.compat.nengo_shims import NENGO_SHIMS
from nengo_hybrid.compat.shim import Shim, ShimState

SHIMS = {shim.name: shim for shim in NENGO_SHIMS + DL_SHIMS + LOIHI_SHIMS}


def install():
    """
    Let every needed shim wait for its module, or mend one that is imported already.

    A second call changes nothing.
    """
    install_finder(SHIMS.values())


def import_after(module, follower):
    """
    Import one of our modules as soon as somebody else's is imported, or now if it is.

    What we register with a library is then there for all who use it, and the library
    is not imported on our account. `install` comes first.

    Parameters
    ----------
    module : str
        Name of the library's module.
    follower : str
        Name of our module.
    """
    follow(module, follower)


def states():
    """
    Return how each shim stands in this process, for ``nengo-hybrid doctor``.

    Returns
    -------
    tuple of ShimState
        One row per shim of `SHIMS`, in its order.
    """
    return shim_states(SHIMS.values())


__all__ = ["SHIMS", "Shim", "ShimState", "import_after", "install", "states"]
