"""Build, train, deploy and price hybrid-spiking networks for Loihi."""

from nengo_hybrid import compat

compat.install()

from nengo_hybrid import datasets, networks  # noqa: E402
from nengo_hybrid.neurons import HybridSpiking, Identity  # noqa: E402
from nengo_hybrid.targets import load_target  # noqa: E402
from nengo_hybrid.train import Smoothing, train  # noqa: E402
from nengo_hybrid.version import version as __version__  # noqa: E402

# What imports NengoLoihi is looked up when it is first used.
LATER = {"deploy": "nengo_hybrid.pipeline", "run_deployed": "nengo_hybrid.pipeline"}


def __getattr__(name):
    if name not in LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(LATER[name]), name)


__all__ = [
    "HybridSpiking",
    "Identity",
    "Smoothing",
    "__version__",
    "datasets",
    "deploy",
    "load_target",
    "networks",
    "run_deployed",
    "train",
]
