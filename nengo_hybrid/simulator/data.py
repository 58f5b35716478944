"""What a simulator recorded: one array per probe, and the built parameters."""

from collections.abc import Mapping

import numpy as np


class SimulationData(Mapping):
    """
    Read-only map from Nengo objects to their data.

    A probe gives (n_steps, size) values, or (minibatch_size, n_steps, size); any
    other object what the builder made of it.

    Parameters
    ----------
    model : nengo_loihi.builder.Model
    hosts : list of Host
        One per sample.
    minibatch_size : int or None
    """

    def __init__(self, model, hosts, minibatch_size):
        self._model, self._hosts, self._batched = model, hosts, minibatch_size
        self._parts = {probe: [] for probe in model.nengo_probes}
        self._parts = {
            p: rows
            for p, rows in self._parts.items()
            if p not in model.chip2host_params
        }
        self._cache = {}

    @property
    def probes(self):
        """The probes on the chip."""
        return tuple(self._parts)

    def add(self, probe, values, *, total=False):
        """Append values (n_samples, n_steps, size), or add them to what is there."""
        parts = self._parts[probe]
        if total and parts:
            values = parts.pop() + values
        parts.append(values)
        self._cache.pop(probe, None)

    def clear(self):
        """Forget what probes recorded."""
        for parts in self._parts.values():
            parts.clear()
        self._cache.clear()

    def __getitem__(self, key):
        if key in self._parts:
            if key not in self._cache:
                self._cache[key] = self._join(self._parts[key])
            return self._cache[key]
        if key in self._model.params and key not in self._model.chip2host_params:
            return self._model.params[key]
        found = [
            simulator.data[key]
            for host in self._hosts
            for simulator in host.simulators
            if key in simulator.data
        ]
        if not found:
            raise KeyError(f"{key} was not built, or is no probe of this network")
        is_probe = any(key in s.model.probes for s in self._hosts[0].simulators)
        return np.stack(found) if is_probe and self._batched else found[0]

    def _join(self, parts):
        if not parts:
            return np.zeros((self._batched, 0) if self._batched else 0)
        values = np.concatenate(parts, axis=1)
        parts[:] = [values]
        values = values if self._batched else values[0]
        values.setflags(write=False)
        return values

    def __iter__(self):
        yield from self._model.params
        for simulator in self._hosts[0].simulators:
            yield from simulator.data

    def __len__(self):
        return sum(1 for _ in self)
