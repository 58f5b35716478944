"""
Training; the only room that imports TensorFlow and NengoDL.

Both are imported when training starts, so that the package works without them.
"""

from nengo_hybrid.train.smoothing import Smoothing


def train(network, data, **settings):
    """
    Train a network through NengoDL; see `nengo_hybrid.train.engine.train`.

    Raises
    ------
    CompatError
        If TensorFlow or NengoDL is missing.
    """
    from nengo_hybrid.train.engine import train as train_with_nengo_dl

    return train_with_nengo_dl(network, data, **settings)


__all__ = ["Smoothing", "train"]
