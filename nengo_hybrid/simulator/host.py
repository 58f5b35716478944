"""What runs on the host beside one sample on the chip: Nengo's own simulator."""

import nengo
import numpy as np
from nengo.builder.processes import SimProcess
from nengo.simulator import SimulationData

from nengo_hybrid.simulator.host_steps import compiled, process_of


class Host:
    """
    The host's part of a model that NengoLoihi built, for one sample.

    Parameters
    ----------
    model : nengo_loihi.builder.Model
    seed : int
        Of processes that have none of their own.
    """

    def __init__(self, model, seed):
        self.model, self._fed = model, set()
        self.before = _simulator(model.host_pre, model.dt, seed)
        self.beside = _simulator(model.host, model.dt, seed)
        self._connect()

    @property
    def simulators(self):
        """The simulators there are: one that runs ahead of the chip, one beside it."""
        return [s for s in (self.before, self.beside) if s is not None]

    def _connect(self):
        """Find the queues that nodes fill for the chip, and take from it."""
        steps = {}
        for simulator in self.simulators:
            found = zip(simulator._step_order, list(simulator._steps), strict=True)
            for i, (op, step) in enumerate(found):
                simulator._steps[i] = compiled(simulator, op, step)
                if isinstance(op, SimProcess):
                    steps[id(op.process)] = process_of(step)
        self.queues = {
            sender: steps[id(sender.output)].queue
            for senders in (
                self.model.host2chip_senders,
                self.model.host2chip_pes_senders,
            )
            for sender in senders
        }
        self.receivers = {
            probe: steps[id(node.output)]
            for probe, node in self.model.chip2host_receivers.items()
        }

    @staticmethod
    def advance(simulator):
        """Run one step, in the error state of `advancing`."""
        for step in simulator._steps:
            step()
        if simulator.model.probes:
            simulator._probe()

    @staticmethod
    def advancing():
        """Return the error state in which Nengo runs steps, to be entered once."""
        return np.errstate(invalid="raise", divide="ignore")

    def feed(self, node, value):
        """Set what a node with a constant output gives, until `release`."""
        self._fed.add(node)
        for simulator in self.simulators:
            signal = simulator.model.sig.get(node, {}).get("out")
            if signal is not None:
                simulator.signals[signal][...] = value

    def release(self):
        """Let nodes give their own constants again."""
        for node in list(self._fed):
            self.feed(node, node.output)
        self._fed.clear()

    def reset(self, seed):
        """Go back to the start."""
        for simulator in self.simulators:
            simulator.reset(seed)
        self._connect()

    def clear_probes(self):
        """Forget what probes of the host recorded."""
        for simulator in self.simulators:
            simulator.clear_probes()

    def close(self):
        """Close the simulators; what they recorded stays."""
        for simulator in self.simulators:
            simulator.close()

    def take_spikes(self):
        """
        Take what the host sent since the last time.

        Yields
        ------
        receiver : nengo.Node
        step : int
            Time step of the chip, counting from 1.
        lines : (n_lines,) bool array
        """
        for sender, receiver in self.model.host2chip_senders.items():
            queue = self.queues[sender]
            for t, x in queue:
                yield receiver, round(t / self.model.dt), x != 0
            queue.clear()

    def take_errors(self):
        """
        Take the errors for synapses that learn, sent since the last time.

        Yields
        ------
        synapse : nengo_loihi.block.Synapse
        error : (n,) array
            Summed over the senders of a time step.
        """
        sums = {}
        for sender, receiver in self.model.host2chip_pes_senders.items():
            connection = self.model.nengo_probe_conns[receiver.error_target]
            synapse = self.model.objs[connection]["decoders"]
            queue = self.queues[sender]
            for t, x in queue:
                key = round(t / self.model.dt), id(synapse)
                before = sums[key][1] if key in sums else 0
                sums[key] = synapse, before + x
            queue.clear()
        yield from sums.values()


def _simulator(model, dt, seed):
    """Make a simulator of a built model, with probe data of its own."""
    if not model.params:
        return None
    simulator = nengo.Simulator(
        None, dt=dt, seed=seed, model=model, progress_bar=False, optimize=False
    )
    # Simulators of one model would otherwise all record into the model.
    own = {**model.params, **{probe: [] for probe in model.probes}}
    simulator._sim_data = own
    simulator.data = SimulationData(own)
    return simulator
