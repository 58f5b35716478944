"""What a simulator recorded: one array per probe, and the built parameters."""

from collections.abc import Mapping

import numpy as np
from nengo.exceptions import ValidationError

from nengo_hybrid.lower import probe_filter


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
    counts_only : bool or iterable of nengo.Probe
        Probes that keep only a sum over all steps; True for all on the chip.

    Raises
    ------
    ValidationError
        If one of ``counts_only`` is no probe on the chip.
    """

    def __init__(self, model, hosts, minibatch_size, *, counts_only=False):
        self._model, self._hosts, self._batched = model, hosts, minibatch_size
        on_host = model.chip2host_params
        self.probes = tuple(p for p in model.nengo_probes if p not in on_host)
        if isinstance(counts_only, bool):
            counts_only = self.probes if counts_only else ()
        self._counts_only = frozenset(counts_only)
        for probe in self._counts_only:
            if probe not in self.probes:
                raise ValidationError(
                    f"has {probe}, which is no probe on the chip", attr="counts_only"
                )
        self.reset()

    @property
    def growing(self):
        """The probes on the chip whose data grows with the steps."""
        return tuple(p for p in self.probes if p not in self._counts_only)

    def reset(self):
        """Forget what probes recorded, and the state of their filters."""
        self._n_steps = 0
        self._filters = {
            probe: [probe_filter(self._model.dt) for _ in self._hosts]
            for probe in self.probes
        }
        self.clear()

    def clear(self):
        """Forget what probes recorded."""
        self._parts = {probe: [] for probe in self.probes}
        self._cache, self._first_step = {}, self._n_steps

    def _rows(self, probe, first, steps):
        """Tell in which of some steps a probe records."""
        period = 1
        if probe.sample_every is not None:
            period = probe.sample_every / self._model.dt
        return (first + 1 + np.arange(steps)) % period < 1

    def collect(self, chip, record, first, steps):
        """
        Take what the chip's probes read in some steps.

        Parameters
        ----------
        chip : Chip
        record : Record
        first : int
            Steps that were run before.
        steps : int
            Steps that the record holds.
        """
        self._n_steps = first + steps
        for probe in self.probes:
            reader = self._model.objs[probe]["out"]
            values = [
                filter_values(reader, chip.read(probe, record, sample, slice(steps)))
                for sample, filter_values in enumerate(self._filters[probe])
            ]
            self._keep(probe, np.stack(values), first)

    def _keep(self, probe, values, first):
        """Append what a probe is to keep of new values (n_samples, n_steps, size)."""
        parts = self._parts[probe]
        if probe in self._counts_only:
            total = values.sum(axis=1, keepdims=True)
            values = parts.pop() + total if parts else total
        else:
            values = values[:, self._rows(probe, first, values.shape[1])]
        parts.append(values)
        self._cache.pop(probe, None)

    def __getitem__(self, key):
        if key in self._parts:
            if key not in self._cache:
                self._cache[key] = self._join(self._parts[key])
            return self._cache[key]
        if key in self._model.params and key not in self._model.chip2host_params:
            return self._model.params[key]
        found = [
            simulator.data
            for host in self._hosts
            for simulator in host.simulators
            if key in simulator.data.raw
        ]
        if not found:
            raise KeyError(f"{key} was not built, or is no probe of this network")
        if not any(key in s.model.probes for s in self._hosts[0].simulators):
            return found[0].raw[key]
        # A host that ran ahead of an interrupted chip has more than the chip did.
        steps = self._n_steps - self._first_step
        n_rows = int(self._rows(key, self._first_step, steps).sum())
        values = [data[key][:n_rows] for data in found]
        return np.stack(values) if self._batched else values[0]

    def _join(self, parts):
        if not parts:
            return np.zeros((self._batched, 0) if self._batched else 0)
        values = np.concatenate(parts, axis=1)
        parts[:] = [values]
        values = values if self._batched else values[0]
        values.setflags(write=False)
        return values

    def __iter__(self):
        simulators = self._hosts[0].simulators
        on_host = set(self._model.chip2host_params)
        keys = [key for key in self._model.params if key not in on_host]
        keys += [key for simulator in simulators for key in simulator.data]
        return iter(dict.fromkeys(keys))

    def __len__(self):
        return sum(1 for _ in self)
