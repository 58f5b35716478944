"""
Remember a signal in a Legendre memory, and see what spikes cost.

    python examples/delay.py [--out FOLDER]

A memory of 16 coefficients holds a window of 64 steps of a band-limited signal. What
the signal was 16, 32 and 64 steps ago is decoded from it: exact, and with quantizers on
what leaves the memory (its state exact) or on every message, to itself too. Writes
``delay.svg``.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import nengo
import numpy as np

import nengo_hybrid as nh
from nengo_hybrid.networks.memory import delay_decoder, rotations

ORDER, THETA_STEPS = 16, 64
DELAYS = (16, 32, 64)
OMEGAS = (1, 2, 4, 8, 16)
HUB_OMEGA = 4
# Where counts are sent, as the picture calls it, and in which basis.
PLACES = {
    "what leaves the memory": ("readout", "rotations"),
    "every message, basis of rotations": ("loop", "rotations"),
    "every message, Legendre basis": ("loop", "legendre"),
}


def signal(n_steps, seed=0):
    """Return noise without frequencies above 0.03 a step, (n_steps,)."""
    noise = nengo.processes.WhiteSignal(period=n_steps, high=0.03, rms=0.5, seed=seed)
    return noise.run_steps(n_steps, dt=1.0)[:, 0]


def run(x, basis, **settings):
    """Return what a memory sends in every step, (n_steps, ORDER)."""
    with nengo.Network(seed=0) as net:
        source = nengo.Node(nengo.processes.PresentInput(x, 1.0))
        lmu = nh.networks.LMU(ORDER, THETA_STEPS, basis=basis, **settings)
        nengo.Connection(source, lmu.input, synapse=None)
        probe = nengo.Probe(lmu.memory)
    with nengo.Simulator(net, dt=1.0, progress_bar=False) as sim:
        sim.run_steps(len(x))
    return sim.data[probe]


def run_in_spikes(x, place, basis, omega):
    """
    Run a memory that sends counts, each coefficient scaled by its spread.

    Returns
    -------
    sent : (n_steps, ORDER) array
    counts : (n_steps, ORDER) int array
    """
    state = run(x, basis)
    scale = 1 / np.std(state, axis=0)
    hybrid = nh.HybridSpiking(nh.Identity(), omega=omega)
    settings = {"quantizer": {place: hybrid}, "readout_scale": scale}
    if (place, basis) == ("loop", "rotations"):
        # Two hubs carry what all coefficients have to say to each other.
        gathered = state @ rotations(ORDER, THETA_STEPS).gather.T
        settings["quantizer"]["hub"] = hybrid.with_omega(HUB_OMEGA * omega)
        settings["hub_scale"] = 1 / np.std(gathered, axis=0)
    sent = run(x, basis, **settings)
    return sent / scale, np.rint(sent * omega).astype(int)


def decode(sent, basis):
    """Decode the delayed copies of the signal, (n_steps, n_delays)."""
    decoder = delay_decoder(ORDER, np.array(DELAYS) / THETA_STEPS)
    if basis == "rotations":
        decoder = decoder @ np.linalg.inv(rotations(ORDER, THETA_STEPS).from_legendre)
    return sent @ decoder.T


def error(x, decoded):
    """
    Return the NRMSE of each decoded delay, (n_delays,).

    A sample is held for a step and stands for its middle, so a delay in samples is
    half a step less.
    """
    steps = np.arange(len(x))
    found = []
    for delay, values in zip(DELAYS, decoded.T, strict=True):
        wanted = np.interp(steps - (delay - 0.5), steps, x)[2 * THETA_STEPS :]
        off = values[2 * THETA_STEPS :] - wanted
        found.append(np.sqrt(np.mean(off**2) / np.mean(wanted**2)))
    return np.array(found)


def draw(x, exact, spiking, curves, path):
    """Draw the delayed copies, and their errors by the bits that were sent."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    shown = slice(2 * THETA_STEPS, 2 * THETA_STEPS + 250)
    steps = np.arange(len(x))[shown]
    left.plot(steps, x[shown], color="0.7", label="signal")
    for i, delay in enumerate(DELAYS):
        label = f"{delay} steps ago"
        left.plot(steps, exact[shown, i], color=f"C{i}", label=label)
        left.plot(steps, spiking[shown, i], color=f"C{i}", lw=0.6, alpha=0.6)
    left.set(xlabel="step", ylabel="value", title="exact (thick), in spikes (thin)")
    left.set_ylim(-1.6, 1.6)
    left.legend(frameon=False, fontsize=8, ncols=2)
    for i, (name, rows) in enumerate(curves.items()):
        bits, errors = [row[0] for row in rows], np.array([row[1] for row in rows])
        right.plot(bits, errors[:, 1], f"C{i}o-", label=f"{name}: {DELAYS[1]} steps")
        right.plot(
            bits, errors[:, 2], f"C{i}o:", mfc="none", label=f"{DELAYS[2]} steps"
        )
    right.set(xlabel="bits of the counts", ylabel="NRMSE", yscale="log")
    right.set_ylim(0.01, 10)
    right.legend(frameon=False, fontsize=7)
    figure.savefig(path)
    plt.close(figure)


def main(out=".", n_steps=2000, omegas=OMEGAS):
    """Run all memories; return their errors by place and omega."""
    x = signal(n_steps)
    exact = decode(run(x, "rotations"), "rotations")
    found = {"exact": error(x, exact)}
    print(f"NRMSE of {', '.join(map(str, DELAYS))} steps ago, and bits of the counts")
    print(f"  exact memory: {found['exact'].round(4)}")
    curves = {}
    for name, (place, basis) in PLACES.items():
        curves[name] = []
        for omega in omegas:
            sent, counts = run_in_spikes(x, place, basis, omega)
            decoded, bits = decode(sent, basis), nh.metrics.bits_max(counts[None])
            errors = found[name, omega] = error(x, decoded)
            curves[name].append((bits, errors))
            print(f"  {name}, omega {omega}: {errors.round(4)}, {bits:.2f} bits")
            if (place, omega) == ("readout", omegas[len(omegas) // 2]):
                spiking = decoded
    path = Path(out) / "delay.svg"
    draw(x, exact, spiking, curves, path)
    print(f"wrote {path}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default=".", help="folder for the picture")
    main(parser.parse_args().out)
