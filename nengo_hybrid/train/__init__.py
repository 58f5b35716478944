"""
Training; the only room that imports TensorFlow and NengoDL.

Both are imported when training starts, so that the package works without them.
"""

from importlib.util import find_spec

from nengo_hybrid.exceptions import CompatError
from nengo_hybrid.train.smoothing import Smoothing


def train(network, data, **settings):
    """
    Train a network; see `nengo_hybrid.train.engine.train`.

    Parameters
    ----------
    network : nengo.Network
    data : Dataset
    settings
        As there: epochs, smoothing, budgets and others.

    Returns
    -------
    Trained

    Raises
    ------
    CompatError
        If TensorFlow or NengoDL is missing.
    """
    for library in ("tensorflow", "nengo_dl"):
        if find_spec(library) is None:
            raise CompatError(
                f"training needs TensorFlow and NengoDL, but {library} is not "
                "installed; run `nengo-hybrid doctor` for the pip line"
            )
    from nengo_hybrid.train.engine import train as train_with_tensorflow

    return train_with_tensorflow(network, data, **settings)


__all__ = ["Smoothing", "train"]
