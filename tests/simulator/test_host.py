"""What runs on the host beside each sample: apart, from a seed, and once more."""

import nengo
import numpy as np

from nengo_hybrid.lower import build_chip
from nengo_hybrid.simulator.host import Host

DT = 0.001


def make_net(*, output=(1.0,), size=1):
    """Return a node onto neurons on the chip, which a node on the host hears."""
    with nengo.Network(seed=2) as net:
        net.stimulus = nengo.Node(output, size_out=None if callable(output) else size)
        net.neurons = nengo.Ensemble(10, size)
        net.listener = nengo.Node(lambda t, x: x, size_in=size)
        nengo.Connection(net.stimulus, net.neurons, synapse=None)
        nengo.Connection(net.neurons, net.listener, synapse=None)
        net.given = nengo.Probe(net.stimulus)
        net.heard = nengo.Probe(net.listener)
    return net


def noisy_net():
    return make_net(output=nengo.processes.WhiteNoise(seed=None))


def build(net, **options):
    return build_chip(net, dt=DT, **options)


def advance(host, n_steps):
    for simulator in host.simulators:
        for _ in range(n_steps):
            simulator.step()


def data(host, probe):
    """Return what a probe of the host recorded."""
    (found,) = [s.data[probe] for s in host.simulators if probe in s.data]
    return np.array(found)


def close(*hosts):
    for host in hosts:
        host.close()


def test_what_is_ahead_of_the_chip_runs_before_it():
    net = make_net()
    ahead = Host(build(net), 0)
    together = Host(build(net, precompute=False), 0)
    assert len(ahead.simulators) == 2
    assert net.given in ahead.before.data and net.heard in ahead.beside.data
    assert together.before is None
    assert together.simulators == [together.beside]
    assert {net.given, net.heard} <= set(together.beside.data)
    close(ahead, together)


def test_a_network_without_a_host_has_no_simulators():
    with nengo.Network() as net:
        nengo.Ensemble(5, 1)
    host = Host(build(net), 0)
    assert host.simulators == [] and host.queues == {} and host.receivers == {}
    assert list(host.take_spikes()) == list(host.take_errors()) == []
    host.reset(1)
    host.clear_probes()
    host.close()


def test_hosts_of_one_model_record_apart():
    net = make_net()
    model = build(net)
    hosts = [Host(model, 0) for _ in range(3)]
    for i, host in enumerate(hosts):
        host.feed(net.stimulus, i)
        advance(host, i + 1)
    found = [data(host, net.given).ravel().tolist() for host in hosts]
    assert found == [[0], [1, 1], [2, 2, 2]]
    hosts[2].clear_probes()
    assert data(hosts[2], net.given).size == 0
    assert data(hosts[1], net.given).size == 2
    close(*hosts)


def test_a_seed_is_that_of_processes():
    net = noisy_net()
    model = build(net)
    hosts = [Host(model, seed) for seed in (4, 4, 5)]
    for host in hosts:
        advance(host, 6)
    one, same, other = (data(host, net.given) for host in hosts)
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    close(*hosts)


def test_reset_goes_back_to_the_start():
    net = noisy_net()
    host = Host(build(net), 4)
    advance(host, 6)
    first = data(host, net.given)
    sent = [(step, lines.tolist()) for _, step, lines in host.take_spikes()]
    host.reset(4)
    assert data(host, net.given).size == 0
    assert list(host.take_spikes()) == []
    advance(host, 6)
    np.testing.assert_array_equal(data(host, net.given), first)
    again = [(step, lines.tolist()) for _, step, lines in host.take_spikes()]
    assert again == sent and sent
    host.close()


def test_time_is_that_of_nengos_own_simulator():
    # Where 0.001 * n and a sum of 0.001s differ, and so would any other way to count.
    net = make_net(output=lambda t: [t])
    host = Host(build(net), 0)
    with nengo.Simulator(net, dt=DT, progress_bar=False) as theirs:
        theirs.run_steps(1000)
        wanted = theirs.data[net.given]
    for _ in range(2):
        advance(host, 700)
        advance(host, 300)
        np.testing.assert_array_equal(data(host, net.given), wanted)
        host.reset(0)
    host.close()


def test_spikes_are_taken_once_with_their_step_and_lines():
    net = make_net()
    model = build(net)
    host = Host(model, 0)
    advance(host, 5)
    taken = list(host.take_spikes())
    assert list(host.take_spikes()) == []
    (receiver,) = model.host2chip_senders.values()
    assert [r for r, _, _ in taken] == [receiver] * 5
    assert [step for _, step, _ in taken] == [1, 2, 3, 4, 5]
    n_lines = model.spike_targets[receiver].n_neurons
    assert all(x.dtype == bool and x.shape == (n_lines,) for _, _, x in taken)
    # One pair of lines, of which the first is for what is above 0.
    up = np.sum([x for _, _, x in taken], axis=0).reshape(2, -1).sum(axis=1)
    assert up[0] > 0 and up[1] == 0
    advance(host, 2)
    assert [step for _, step, _ in host.take_spikes()] == [6, 7]
    host.close()


def test_what_the_chip_sends_is_heard():
    net = make_net()
    host = Host(build(net, precompute=False), 0)
    ((probe, receiver),) = host.receivers.items()
    for step, value in ((2, 3.0), (3, -1.0)):
        advance(host, 1)
        receiver.receive(step * DT, np.array([value]))
    advance(host, 1)
    assert data(host, net.heard).ravel().tolist() == [0, 3, -1]
    assert probe in host.model.chip2host_params
    host.close()


def test_errors_are_summed_over_the_senders_of_a_step():
    with nengo.Network(seed=0) as net:
        pre, post = nengo.Ensemble(10, 2), nengo.Node(size_in=2)
        learned = nengo.Connection(
            pre, post, learning_rule_type=nengo.PES(), function=lambda x: [0, 0]
        )
        nengo.Connection(post, learned.learning_rule, synapse=None)
        for error in ([0.5, 0.0], [0.25, -1.0]):
            given = nengo.Node(error)
            nengo.Connection(given, learned.learning_rule, synapse=None)
    model = build(net)
    host = Host(model, 0)
    advance(host, 2)
    (synapse,) = [s for block in model.blocks for s in block.synapses if s.learning]
    found = list(host.take_errors())
    assert [s is synapse for s, _ in found] == [True, True]
    # Steps apart, senders together.
    assert [e.tolist() for _, e in found] == [[0.75, -1.0]] * 2
    assert list(host.take_errors()) == []
    host.close()
