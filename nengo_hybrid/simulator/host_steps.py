"""Steps of Nengo's operators on the host, compiled to the same bits."""

import inspect

import nengo
import numba
import numpy as np
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import TimeUpdate
from nengo.builder.processes import SimProcess
from nengo.synapses import LinearFilter


def process_of(step):
    """Return the step of a process inside an operator's, to which no name leads."""
    return inspect.getclosurevars(step).nonlocals["step_f"]


def compiled(simulator, op, step):
    """
    Return a faster step of an operator, or the one it has.

    Parameters
    ----------
    simulator : nengo.Simulator
    op : nengo.builder.Operator
    step : callable
        As Nengo made it. It stays in use where there is no other, and wherever a value
        is about to be infinite or not a number, for it knows what to say of that.

    Returns
    -------
    callable
        Leaves in all signals what ``step`` does, bit for bit.
    """
    if isinstance(op, TimeUpdate):
        return _count_time(simulator, op)
    if isinstance(op, SimNeurons) and type(op.neurons) is nengo.SpikingRectifiedLinear:
        return _fire(simulator, op, step)
    # Nengo's builder adds up what synapses give elsewhere: no filter increments.
    if (
        isinstance(op, SimProcess)
        and op.mode != "inc"
        and type(process_of(step)) is LinearFilter.OneX
    ):
        return _filter(simulator, op, step)
    return step


def _count_time(simulator, op):
    """Count steps and seconds without arithmetic on arrays."""
    step, time = simulator.signals[op.step], simulator.signals[op.time]
    dt = simulator.dt
    n = int(step)

    def count_time():
        nonlocal n
        n += 1
        step[...] = n
        time[...] = n * dt

    return count_time


def _fire(simulator, op, step):
    """Step integrate-and-fire neurons."""
    signals = op.J, op.output, op.state["voltage"]
    arrays = [simulator.signals[signal] for signal in signals]
    if not all(_is_plain(array, 1) for array in arrays):
        return step
    dt = simulator.dt
    amplitude = op.neurons.amplitude / dt

    def fire():
        if not _integrate_and_fire(*arrays, dt, amplitude):
            step()

    return fire


def _filter(simulator, op, step):
    """Step a synapse with one time constant, of several values."""
    process = process_of(step)
    arrays = simulator.signals[op.input], simulator.signals[op.output], process.X
    if not all(map(_is_plain, arrays, (1, 1, 2))):
        return step
    a, b = process.a, process.b

    def filter_values():
        if not _low_pass(*arrays, a, b):
            step()

    return filter_values


def _is_plain(array, n_axes):
    """Tell if an array is of the one kind that is compiled for."""
    return (
        array.ndim == n_axes and array.dtype == np.float64 and array.flags.c_contiguous
    )


@numba.njit(nogil=True, cache=True)
def _integrate_and_fire(current, output, voltage, dt, amplitude):
    """Do what SpikingRectifiedLinear does; nothing, and False, if not all is finite."""
    for i in range(len(voltage)):
        if not voltage[i] + _positive(current[i]) * dt < np.inf:
            return False
    for i in range(len(voltage)):
        reached = voltage[i] + _positive(current[i]) * dt
        n_spikes = np.floor(reached)
        output[i] = amplitude * n_spikes
        voltage[i] = reached - n_spikes
    return True


@numba.njit(nogil=True, cache=True, inline="always")
def _positive(value):
    """Return 0 in place of what is below it; what is not a number stays so."""
    return 0.0 if value <= 0.0 else value


@numba.njit(nogil=True, cache=True)
def _low_pass(values, output, state, a, b):
    """Do what LinearFilter.OneX does; nothing, and False, if not all is finite."""
    for i in range(len(values)):
        if not abs(state[0, i] * a + b * values[i]) < np.inf:
            return False
    for i in range(len(values)):
        state[0, i] = state[0, i] * a + b * values[i]
        output[i] = state[0, i]
    return True
