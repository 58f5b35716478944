"""
A pytest plugin that says whose emulator runs the chip, and counts its steps.

``--emulator nengo-loihi`` gives the tests `nengo_loihi.Simulator`, ``--emulator
nengo-hybrid`` gives them `nengo_hybrid.LoihiSimulator`. It also sets for all tests what
NengoLoihi's own conftest, which is not installed, set for them. It comes after
`shims_first`.
"""

import collections
import functools

import matplotlib
import nengo_loihi
import numpy as np
import pytest
from nengo_loihi.builder.builder import Model, ValidationLevel
from nengo_loihi.emulator import EmulatorInterface
from nengo_loihi.tests import make_test_sim
from stand_ins import StandInEmulator, StandInSimulator

from nengo_hybrid.emulate import Emulator

THEIRS, OURS = "nengo-loihi", "nengo-hybrid"
THEIR_FLOATS = "nengo-loihi, in floats"
# Tests of the insides of NengoLoihi's emulator.
INSIDES = ("nengo_loihi.emulator.tests.test_interface",)


def pytest_addoption(parser):
    parser.addoption("--target", default="sim", choices=("sim",))
    parser.addoption("--emulator", default=THEIRS, choices=(THEIRS, OURS))


def pytest_configure(config):
    matplotlib.use("Agg")
    EmulatorInterface.strict = True
    nengo_loihi.set_defaults()
    Model.default_validation_level = ValidationLevel.FULL
    config.pluginmanager.register(StepCounter())


def make_simulator(request):
    """Return what the tests get as ``Simulator``: the option nengo_simloader."""
    if request.config.getoption("--emulator") == THEIRS:
        return make_test_sim(request)
    return our_simulator


def our_simulator(network, *args, **kwargs):
    """Make our simulator; theirs for floats on the chip, which ours does not do."""
    if kwargs.setdefault("target", "sim") == "simreal":
        return nengo_loihi.Simulator(network, *args, **kwargs)
    return StandInSimulator(network, *args, on_overflow="raise", **kwargs)


@pytest.fixture(scope="module", autouse=True)
def our_emulator(request):
    """Give our emulator to the tests that make NengoLoihi's without a simulator."""
    module = request.module
    is_asked_for = (
        hasattr(module, "EmulatorInterface") and module.__name__ not in INSIDES
    )
    if request.config.getoption("--emulator") == OURS and is_asked_for:
        module.EmulatorInterface = StandInEmulator


class StepCounter:
    """Counts the steps of every emulator, from inside it, and tells test by test."""

    def __init__(self):
        self.steps = collections.Counter()
        count_calls(EmulatorInterface, "step", self.count_theirs)
        count_calls(Emulator, "advance", self.count_ours)

    def count_theirs(self, emulator):
        in_floats = emulator.block_info.dtype == np.float32
        self.steps[THEIR_FLOATS if in_floats else THEIRS] += 1

    def count_ours(self, emulator, lines, record):
        self.steps[OURS] += lines.shape[1]

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item):
        self.steps.clear()
        yield
        item.user_properties.append(("chip_steps", dict(self.steps)))


def count_calls(owner, name, count):
    """Let ``count`` see the arguments of every call of a method."""
    method = getattr(owner, name)

    @functools.wraps(method)
    def counted(self, *args, **kwargs):
        count(self, *args, **kwargs)
        return method(self, *args, **kwargs)

    setattr(owner, name, counted)
