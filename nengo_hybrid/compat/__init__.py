"""
The shims that let Nengo 4.1.0, NengoDL 3.6.0 and NengoLoihi 1.1.0 run on today's TensorFlow, Keras and NumPy.

``import nengo_hybrid`` before ``import nengo_dl`` or ``import nengo_loihi`` is all a user does. A shim acts when its
module is imported, so that neither TensorFlow, NengoDL nor NengoLoihi is imported on its account; one that is not
needed does nothing. Each says what defect it mends, where that is reported, and when it is to be deleted: see `SHIMS`.
"""

from nengo_hybrid.compat.dl_shims import DL_SHIMS
from nengo_hybrid.compat.imports import install_finder, shim_states
from nengo_hybrid.compat.loihi_shims import LOIHI_SHIMS
from nengo_hybrid.compat.nengo_shims import NENGO_SHIMS
from nengo_hybrid.compat.shim import Shim, ShimState

SHIMS = {shim.name: shim for shim in NENGO_SHIMS + DL_SHIMS + LOIHI_SHIMS}


def install():
    """Make every needed shim wait for its module, or apply it to one already imported; a second call changes nothing."""
    install_finder(SHIMS.values())


def states():
    """
    Return how each shim stands in this process, for ``nengo-hybrid doctor``.

    Returns
    -------
    tuple of ShimState
        One row per shim of `SHIMS`, in its order.
    """
    return shim_states(SHIMS.values())


__all__ = ["SHIMS", "Shim", "ShimState", "install", "states"]
