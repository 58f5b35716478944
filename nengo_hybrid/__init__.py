"""Build, train, deploy and price hybrid-spiking networks for Loihi."""

from importlib import import_module

from nengo_hybrid import compat

compat.install()
compat.import_after("nengo_dl", "nengo_hybrid.train.neuron_builders")

# At once, so that ``train`` stays this function when its package is imported.
from nengo_hybrid.train import Smoothing, train  # noqa: E402
from nengo_hybrid.version import version as __version__  # noqa: E402

# What imports other libraries is looked up when it is first used: `nengo-hybrid doctor`
# has to run where they are missing or do not fit.
HOMES = {
    "HybridSpiking": "nengo_hybrid.neurons",
    "Identity": "nengo_hybrid.neurons",
    "LoihiSimulator": "nengo_hybrid.simulator",
    "check": "nengo_hybrid.doctor",
    "deploy": "nengo_hybrid.pipeline",
    "load_bundle": "nengo_hybrid.bundle",
    "load_lava": "nengo_hybrid.interchange",
    "load_lava_graded": "nengo_hybrid.interchange",
    "load_nir": "nengo_hybrid.interchange",
    "load_target": "nengo_hybrid.targets",
    "run_deployed": "nengo_hybrid.pipeline",
    "save_nir": "nengo_hybrid.interchange",
    "to_one_bit": "nengo_hybrid.one_bit",
    "waterfall": "nengo_hybrid.pipeline",
}
ROOMS = ("datasets", "metrics", "networks")


def __getattr__(name):
    if name in ROOMS:
        return import_module(f"nengo_hybrid.{name}")
    if name in HOMES:
        return getattr(import_module(HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})


__all__ = ["Smoothing", "__version__", "train", *HOMES, *ROOMS]
