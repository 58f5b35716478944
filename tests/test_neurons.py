"""The laws of the quantizer, and its place in Nengo's simulator."""

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_hybrid.exceptions import BuildError
from nengo_hybrid.neurons import HybridSpiking, Identity

BASES = {
    "relu": nengo.RectifiedLinear(),
    "tanh": nengo.Tanh(tau_ref=1),
    "identity": Identity(),
}
OMEGAS = (0.5, 1.0, 4.0, 16.0)
N_NEURONS, N_STEPS = 2000, 1000


def rates_of(base, currents, dt=1.0):
    """Return the base type's activation, (n_steps, n_neurons)."""
    rates = np.zeros_like(currents)
    for current, rate in zip(currents, rates, strict=True):
        base.step(dt, current, rate)
    return rates


def run_quantizer(neuron_type, rates, voltage, dt=1.0):
    """Return outputs and voltages after each step, both (n_steps, n_neurons)."""
    voltage = voltage.copy()
    outputs, voltages = np.zeros_like(rates), np.zeros_like(rates)
    for step, rate in enumerate(rates):
        neuron_type.step(dt, rate, outputs[step], voltage)
        voltages[step] = voltage
    return outputs, voltages


@pytest.fixture(params=BASES)
def base(request):
    return BASES[request.param]


@pytest.fixture(params=OMEGAS)
def omega(request):
    return request.param


@pytest.fixture
def many(base, omega):
    """A large population with currents that differ between neurons and steps."""
    rng = np.random.RandomState(0)
    phase = rng.uniform(0, 2 * np.pi, N_NEURONS)
    currents = 1.3 * np.sin(np.linspace(0, 25, N_STEPS)[:, None] + phase)
    rates = rates_of(base, currents)
    voltage = rng.uniform(0, 1, N_NEURONS)
    outputs, voltages = run_quantizer(HybridSpiking(base, omega=omega), rates, voltage)
    return rates, voltage, outputs, voltages


def test_hand_computed_counts():
    # omega 2, rate 0.3: s = 0.5 + 0.6 n; floors 1, 1, 2, 2 -> counts 1, 0, 1, 0
    neuron_type = HybridSpiking(nengo.RectifiedLinear(), omega=2)
    rates = np.full((4, 1), 0.3)
    outputs, voltages = run_quantizer(neuron_type, rates, np.array([0.5]))
    np.testing.assert_array_equal(outputs[:, 0] * 2, [1, 0, 1, 0])
    np.testing.assert_allclose(voltages[:, 0], [0.1, 0.7, 0.3, 0.9])


def test_negative_rates_give_negative_spikes_and_keep_the_voltage_in_range():
    # rate -0.3, omega 1: s = 0.1 - 0.3 = -0.2 -> k = -1, v = 0.8; then 0.5, 0.2; -1
    neuron_type = HybridSpiking(Identity(), omega=1)
    outputs, voltages = run_quantizer(
        neuron_type, np.full((4, 1), -0.3), np.array([0.1])
    )
    np.testing.assert_array_equal(outputs[:, 0], [-1, 0, 0, -1])
    np.testing.assert_allclose(voltages[:, 0], [0.8, 0.5, 0.2, 0.9])


def test_voltage_stays_uniform(many):
    _, _, _, voltages = many
    assert voltages.min() >= 0 and voltages.max() < 1
    counts, _ = np.histogram(voltages[-1], bins=10, range=(0, 1))
    # Ten bins of 200: the chi-square of 9 degrees exceeds 27.9 once in a thousand.
    assert np.sum((counts - 200) ** 2 / 200) < 27.9


def test_error_is_below_one_count(many, omega):
    rates, _, outputs, _ = many
    assert np.abs(outputs - rates).max() < 1 / omega


def test_output_is_unbiased_at_every_step(base, omega):
    rng = np.random.RandomState(1)
    # All neurons share one rate per step, so that the mean over them estimates E[a].
    currents = np.repeat(rng.uniform(-1.2, 1.2, (20, 1)), N_NEURONS, axis=1)
    rates = rates_of(base, currents)
    neuron_type = HybridSpiking(base, omega=omega)
    outputs, _ = run_quantizer(neuron_type, rates, rng.uniform(0, 1, N_NEURONS))
    five_sigma = 5 * 0.5 / omega / np.sqrt(N_NEURONS)
    assert np.abs(outputs.mean(axis=1) - rates[:, 0]).max() < five_sigma


def test_variance_is_that_of_the_fractional_part(base, omega):
    rng = np.random.RandomState(2)
    currents = np.full((1, 20 * N_NEURONS), 0.37)
    rates = rates_of(base, currents)
    neuron_type = HybridSpiking(base, omega=omega)
    outputs, _ = run_quantizer(neuron_type, rates, rng.uniform(0, 1, currents.shape[1]))
    p = (omega * rates[0, 0]) % 1
    expected = p * (1 - p) / omega**2
    np.testing.assert_allclose(outputs.var(), expected, atol=0.02 / omega**2)
    assert expected <= 1 / (4 * omega**2)


def test_errors_telescope(many, omega):
    rates, start, outputs, voltages = many
    summed = np.cumsum(outputs - rates, axis=0)
    np.testing.assert_allclose(summed, (start - voltages) / omega, atol=1e-9)
    assert np.abs(summed).max() < 1 / omega


def test_large_omega_is_the_rate_neuron(base):
    rng = np.random.RandomState(3)
    rates = rates_of(base, rng.uniform(-1, 1, (10, 50)))
    outputs, _ = run_quantizer(HybridSpiking(base, omega=1e6), rates, rng.rand(50))
    np.testing.assert_allclose(outputs, rates, atol=1e-6)


def test_one_bit_while_omega_times_the_rate_is_at_most_one():
    neuron_type = HybridSpiking(Identity(), omega=0.8)
    rng = np.random.RandomState(4)
    rates = rng.uniform(-1.25, 1.25, (500, 100))
    outputs, _ = run_quantizer(neuron_type, rates, rng.rand(100))
    assert set(np.unique(np.round(outputs * 0.8))) == {-1, 0, 1}


@given(
    n_parts=st.integers(1, 8),
    omega=st.floats(0.1, 20),
    seed=st.integers(0, 2**31 - 1),
)
@settings(max_examples=100, deadline=None)
def test_graded_spikes_are_one_bit_spikes_of_a_staggered_population(
    n_parts, omega, seed
):
    rng = np.random.RandomState(seed)
    rates = rng.uniform(-1, 1, (30, 1))
    # Initial voltages away from ties, where the two roundings may differ.
    voltage = rng.uniform(0, 1, 1)
    whole, _ = run_quantizer(HybridSpiking(Identity(), omega=omega), rates, voltage)
    staggered = (voltage + np.arange(n_parts)) / n_parts
    parts, _ = run_quantizer(
        HybridSpiking(Identity(), omega=omega / n_parts),
        np.repeat(rates, n_parts, axis=1),
        staggered,
    )
    counts = np.round(whole[:, 0] * omega)
    part_counts = np.round(parts * omega / n_parts)
    phase = voltage + omega * np.cumsum(rates)
    clear = np.abs(phase - np.round(phase)) > 1e-9
    np.testing.assert_array_equal(
        np.cumsum(part_counts.sum(axis=1))[clear], np.cumsum(counts)[clear]
    )


@pytest.mark.parametrize("base_name", BASES)
@pytest.mark.parametrize("amplitude", [1.0, 0.3])
def test_omega_one_is_regular_spiking_spike_for_spike(base_name, amplitude):
    base = BASES[base_name]

    def run(neuron_type):
        with nengo.Network(seed=1) as network:
            stimulus = nengo.Node(lambda t: np.sin(20 * t))
            ensemble = nengo.Ensemble(
                50,
                1,
                neuron_type=neuron_type,
                gain=np.full(50, 200.0),
                bias=np.arange(50),
            )
            nengo.Connection(stimulus, ensemble)
            spikes = nengo.Probe(ensemble.neurons)
            voltage = nengo.Probe(ensemble.neurons, "voltage")
        with nengo.Simulator(network, progress_bar=False) as sim:
            sim.run(0.5)
        return sim.data[spikes], sim.data[voltage]

    ours = run(HybridSpiking(base, omega=1, amplitude=amplitude))
    theirs = run(nengo.RegularSpiking(base, amplitude=amplitude))
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[1], theirs[1])
    assert np.count_nonzero(ours[0]) > (0 if base_name == "tanh" else 100)


@pytest.mark.parametrize(
    "base_type", [nengo.LIFRate(), nengo.Sigmoid(), nengo.RectifiedLinear(amplitude=2)]
)
def test_other_rate_types_run_in_nengo(base_type):
    with nengo.Network(seed=0) as network:
        ensemble = nengo.Ensemble(20, 1, neuron_type=HybridSpiking(base_type, omega=2))
        spikes = nengo.Probe(ensemble.neurons)
        rate = nengo.Probe(ensemble.neurons, "rate_out")
    with nengo.Simulator(network, progress_bar=False) as sim:
        sim.run(0.2)
    summed = np.cumsum(sim.data[spikes] - sim.data[rate], axis=0) * 0.001
    assert np.abs(summed).max() < 1 / 2 + 1e-9
    assert sim.data[spikes].any()


def test_decoded_ensembles_represent_their_input():
    with nengo.Network(seed=0) as network:
        stimulus = nengo.Node(0.6)
        ensemble = nengo.Ensemble(
            100, 1, neuron_type=HybridSpiking(nengo.LIFRate(), omega=1)
        )
        nengo.Connection(stimulus, ensemble)
        decoded = nengo.Probe(ensemble, synapse=0.03)
    with nengo.Simulator(network, progress_bar=False) as sim:
        sim.run(0.5)
    assert abs(sim.data[decoded][-100:].mean() - 0.6) < 0.05


def test_with_omega_changes_omega_alone():
    neuron_type = HybridSpiking(nengo.RectifiedLinear(), omega=2, amplitude=0.5)
    other = neuron_type.with_omega(3)
    assert (other.omega, other.amplitude) == (3, 0.5)
    assert other.base_type == neuron_type.base_type
    assert neuron_type.omega == 2


@pytest.mark.parametrize("omega", [0, -1, float("nan"), float("inf"), "1", None, True])
def test_omega_must_be_a_number_above_zero(omega):
    with pytest.raises(BuildError) as caught:
        HybridSpiking(nengo.RectifiedLinear(), omega=omega)
    assert str(caught.value) == (
        f"HybridSpiking needs a finite omega above 0, got {omega!r}; omega=1 is "
        "nengo.RegularSpiking, larger values give graded spikes"
    )


def test_base_type_must_be_a_neuron_type():
    with pytest.raises(BuildError) as caught:
        HybridSpiking("relu")
    assert str(caught.value) == (
        "HybridSpiking needs a rate neuron type (one of RectifiedLinear, Tanh, "
        "Sigmoid, LIFRate, Identity, or another nengo.neurons.NeuronType), got 'relu'; "
        "pass an instance such as nengo.RectifiedLinear()"
    )


@pytest.mark.parametrize("spiking", [nengo.LIF(), nengo.Direct()])
def test_base_type_must_be_a_rate_type(spiking):
    with pytest.raises(BuildError) as caught:
        HybridSpiking(spiking)
    assert str(caught.value) == (
        "HybridSpiking needs a rate neuron type (one of RectifiedLinear, Tanh, "
        "Sigmoid, LIFRate, Identity, or another nengo.neurons.NeuronType), got "
        f"{type(spiking).__name__}, which has no rate output; pass its rate equivalent "
        "such as nengo.LIFRate()"
    )


def test_identity_inverts_its_own_gain_and_bias():
    gain, bias = Identity().gain_bias(np.array([200.0, 300.0]), np.array([-0.5, 0.2]))
    max_rates, intercepts = Identity().max_rates_intercepts(gain, bias)
    np.testing.assert_allclose(max_rates, [200, 300])
    np.testing.assert_allclose(intercepts, [-0.5, 0.2])
