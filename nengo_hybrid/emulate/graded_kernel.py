"""
A graph of programs, compiled: a block of samples, a lane for each.

All integers. Sums of what synapses bring are made by a library's product of matrices:
in float32, in which integers of up to 24 bits are exact, where no sum can be larger,
and else in float64, which has 53. All else is int64, checked against the bits of a
register.
"""

import numpy as np
from numba import njit

from nengo_hybrid.emulate.graded_neurons import (
    INPUT,
    LANES,
    largest_size,
    run_program,
)

# Integers of this size and below are exact in float32.
EXACT = 2.0**24
# What left its range: a sum or register, or a payload.
STATE, PAYLOAD = 0, 1


@njit(nogil=True, cache=True)
def _gather(sent, sizes, step, start, stop, drive, matrices):
    """Sum up what comes over the synapses of a population, all lanes."""
    n_kept = len(sent)
    (table, flat, flat32, reach), sparse = matrices
    drive[start:stop] = 0
    _gather_sparse(sent, step, start, stop, drive, sparse)
    for i in range(len(table)):
        first, n_post, n_pre, post, pre, delay = table[i]
        if post != start:
            continue
        then = (step - delay) % n_kept
        values = sent[then, pre : pre + n_pre]
        last = first + n_post * n_pre
        if reach[i] * sizes[then, pre] <= EXACT:
            drive[start:stop] += np.dot(
                flat32[first:last].reshape(n_post, n_pre), values
            )
        else:
            drive[start:stop] += np.dot(
                flat[first:last].reshape(n_post, n_pre), values.astype(np.float64)
            )


@njit(nogil=True, cache=True)
def _gather_sparse(sent, step, start, stop, drive, sparse):
    """Add what comes over single synapses, in float64: exact below 53 bits."""
    firsts, columns, weights, delays = sparse
    for j in range(start, stop):
        for i in range(firsts[j], firsts[j + 1]):
            values = sent[(step - delays[i]) % len(sent), columns[i]]
            weight = weights[i]
            for k in range(LANES):
                drive[j, k] += weight * values[k]


@njit(nogil=True, cache=True)
def _inject(x, step, now, start, stop):
    """Send a step of the input; lanes without a sample repeat the last."""
    most = np.int64(0)
    for j in range(start, stop):
        for k in range(LANES):
            now[j, k] = x[min(k, len(x) - 1), step, j - start]
        most = max(most, largest_size(now[j]))
    return most


@njit(nogil=True, cache=True)
def _record(now, start, stop, out, n_real, step, place):
    """Write a population's payloads (n, lanes) to where they are kept."""
    for k in range(n_real):
        for j in range(start, stop):
            out[k, step, place + j - start] = np.int32(now[j, k])


@njit(nogil=True, cache=True)
def _tally(now, start, stop, tally, n_real, place):
    """Count payloads by their bits, and the ones in them."""
    for j in range(start, stop):
        row = tally[place + j - start]
        for k in range(n_real):
            size, bits = abs(np.int32(now[j, k])), 0
            while size:
                row[-1] += size & 1
                size >>= 1
                bits += 1
            row[bits] += 1


@njit(nogil=True, cache=True)
def _reset(rest, registers, sent, sizes):
    """Put all neurons to rest, and drop what they have sent."""
    for i in range(rest.shape[0]):
        for j in range(rest.shape[1]):
            registers[i, j] = rest[i, j]
    sent[:] = 0
    sizes[:] = 0


@njit(nogil=True, cache=True)
def run_graded_block(program, matrices, rest, x, kept, out, tally, reached):
    """
    Run the samples of one block.

    Parameters
    ----------
    program : tuple of array
        Where each population starts (n_populations + 1,), its kind, the largest size of
        its payloads, and the parameters (12, n) of all neurons, int64; behind them
        the size that leaves a register, the bits of a factor, how many steps what was
        sent is kept, and after how many all are put to rest.
    matrices : tuple of tuple of array
        Whole matrices, as `nengo_hybrid.graph_run.program` makes them; the weights in
        float32 too, and the largest sum of the sizes of a row's stored weights for each
        matrix. Beside them single synapses by the neuron they lead to: where those of
        each neuron start, where they come from, their weights and delays.
    rest : (3, n) int64 array
        What registers start from.
    x : (n_real, n_steps, size_in) int32 array
    kept, out
        As in `nengo_hybrid.graph_run.kernel.run_block`, with int32 for ``out``.
    tally : (n, n_bits + 1) int64 array
        To which is added how many payloads had a size of so many bits, none of them if
        nothing was sent, and behind that the ones in all of these bits.
    reached : (n_populations, 2) int64 array
        Gets the largest sizes of payloads, and of sums and registers.

    Returns
    -------
    tuple of int
        Step and population whose integers leave their range, the largest of them, and
        what left it; a step of -1 if none does.
    """
    starts, kinds, limits, parameters, state_limit, factor_bits = program[:6]
    n_kept, reset_interval = program[6:]
    n, n_real, n_steps = starts[-1], x.shape[0], x.shape[1]
    registers = np.empty((rest.shape[0], n, LANES), np.int64)
    sent, drive = np.empty((n_kept, n, LANES), np.float32), np.zeros((n, LANES))
    # Largest payload of each population in each of these steps, at its first neuron.
    sizes = np.empty((n_kept, n))
    skipped = n_steps - out.shape[1]
    for step in range(n_steps):
        if step % reset_interval == 0:
            _reset(rest, registers, sent, sizes)
        now = sent[step % n_kept]
        for p in range(len(kinds)):
            start, stop = starts[p], starts[p + 1]
            largest, most = np.int64(0), np.int64(0)
            if kinds[p] == INPUT:
                most = _inject(x, step, now, start, stop)
            else:
                _gather(sent, sizes, step, start, stop, drive, matrices)
                largest, most = run_program(
                    kinds[p],
                    (start, stop),
                    drive,
                    registers,
                    parameters,
                    now,
                    factor_bits,
                )
                for j in range(start, stop):
                    largest = max(largest, largest_size(drive[j]))
            sizes[step % n_kept, start] = most
            reached[p, 0] = max(reached[p, 0], most)
            reached[p, 1] = max(reached[p, 1], largest)
            if largest >= state_limit:
                return step, p, largest, STATE
            if most > limits[p]:
                return step, p, most, PAYLOAD
            if kept[p, 1] >= 0:
                _tally(now, start, stop, tally, n_real, kept[p, 1])
            if kept[p, 0] >= 0 and step >= skipped:
                _record(now, start, stop, out, n_real, step - skipped, kept[p, 0])
    return -1, -1, np.int64(-1), STATE
