"""The Legendre memory: its matrices, what it remembers, where it is quantized."""

import nengo
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from nengo_hybrid.exceptions import BuildError, ShapeError
from nengo_hybrid.graphs import digest
from nengo_hybrid.network_graph import to_graph
from nengo_hybrid.networks import LMU, SequenceClassifier
from nengo_hybrid.networks.memory import (
    delay_decoder,
    lmu_matrices,
    memory_std,
    rotations,
)
from nengo_hybrid.neurons import HybridSpiking, Identity


def run_lmu(x, probes, seed=0, **settings):
    """Run an LMU on a sequence; return what the named attributes gave."""
    with nengo.Network(seed=seed) as network:
        stimulus = nengo.Node(lambda t: x[round(t) - 1])
        lmu = LMU(**settings)
        nengo.Connection(stimulus, lmu.input, synapse=None)
        found = {name: nengo.Probe(getattr(lmu, name)) for name in probes}
    with nengo.Simulator(network, dt=1.0, progress_bar=False) as sim:
        sim.run_steps(len(x))
    return lmu, {name: sim.data[probe] for name, probe in found.items()}


def smooth_input(n_steps, rng):
    """Draw band-limited noise, (n_steps, 1), of standard deviation about 0.5."""
    noise = np.convolve(rng.normal(size=n_steps + 100), np.hanning(40), mode="valid")
    return (0.5 * noise / noise.std())[:n_steps, None]


def delay_error(order, x, theta_steps=64):
    """
    Return the NRMSE of the input of theta ago, decoded from the memory.

    A held sample stands for the middle of its step, so theta ago is half a step
    less counted in samples.
    """
    _, found = run_lmu(x, ["state"], order=order, theta_steps=theta_steps)
    decoded = found["state"] @ delay_decoder(order, 1.0)[0]
    steps = np.arange(len(x))
    delayed = np.interp(steps - (theta_steps - 0.5), steps, x[:, 0], left=0)
    return np.sqrt(np.mean((decoded - delayed) ** 2) / np.mean(delayed**2))


def test_matrices_of_order_one_by_hand():
    # A = -1/theta, B = 1/theta: Ad = exp(-1/theta), Bd = 1 - exp(-1/theta)
    A, B = lmu_matrices(1, 4)
    np.testing.assert_allclose(A, [[np.exp(-0.25)]])
    np.testing.assert_allclose(B, [[1 - np.exp(-0.25)]])


def test_matrices_match_a_fine_euler_integration():
    order, theta_steps, n_fine = 3, 10, 200_000
    i = np.arange(order)
    scale = (2 * i + 1) / theta_steps
    A = (
        np.array([[-1.0 if r < c else (-1.0) ** (r - c + 1) for c in i] for r in i])
        * scale[:, None]
    )
    B = scale * (-1.0) ** i
    m = np.zeros(order)
    for _ in range(n_fine):
        m = m + (A @ m + B) / n_fine
    np.testing.assert_allclose(lmu_matrices(order, theta_steps)[1][:, 0], m, atol=1e-5)


def test_delay_error_falls_as_order_grows():
    x = smooth_input(600, np.random.RandomState(0))
    errors = [delay_error(order, x) for order in (2, 4, 8, 16)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 0.5
    assert errors[-1] < 0.04


def test_state_is_the_recurrence_computed_by_hand():
    x = np.random.RandomState(1).uniform(-1, 1, (20, 2))
    lmu, found = run_lmu(x, ["state", "memory"], order=5, theta_steps=10, size_in=2)
    m = np.zeros((2, 5))
    for step in range(20):
        m = m @ lmu.A.T + np.outer(x[step], lmu.B[:, 0])
        np.testing.assert_allclose(found["state"][step], m.ravel(), atol=1e-12)
    np.testing.assert_array_equal(found["state"], found["memory"])


@pytest.mark.parametrize("place", ["input", "readout", "loop"])
def test_quantizing_a_place_costs_little_at_large_omega(place):
    x = smooth_input(300, np.random.RandomState(2))
    exact = run_lmu(x, ["memory"], order=8, theta_steps=32)[1]["memory"]
    fine = {place: HybridSpiking(Identity(), omega=1e5)}
    coarse = {place: HybridSpiking(Identity(), omega=16)}
    settings = {"order": 8, "theta_steps": 32}
    nearly = run_lmu(x, ["memory"], quantizer=fine, **settings)[1]["memory"]
    roughly = run_lmu(x, ["memory"], quantizer=coarse, **settings)[1]["memory"]
    fine_error = np.sqrt(np.mean((nearly - exact) ** 2))
    coarse_error = np.sqrt(np.mean((roughly - exact) ** 2))
    assert fine_error < 1e-3
    assert 10 * fine_error < coarse_error < exact.std()


def test_readout_keeps_the_state_exact_and_the_loop_does_not():
    x = smooth_input(200, np.random.RandomState(3))
    settings = {"order": 6, "theta_steps": 32}
    exact = run_lmu(x, ["state"], **settings)[1]["state"]
    coarse = HybridSpiking(Identity(), omega=4)
    readout = run_lmu(x, ["state"], quantizer={"readout": coarse}, **settings)[1]
    loop = run_lmu(x, ["state"], quantizer={"loop": coarse}, **settings)[1]
    np.testing.assert_array_equal(readout["state"], exact)
    assert np.abs(loop["state"] - exact).max() > 0.01


def test_the_loop_undoes_the_readout_scale():
    x = smooth_input(200, np.random.RandomState(4))
    settings = {"order": 6, "theta_steps": 32}
    exact = run_lmu(x, ["state"], **settings)[1]["state"]
    scale = np.linspace(0.5, 3, 6)
    fine = {"loop": HybridSpiking(Identity(), omega=1e6)}
    _, found = run_lmu(
        x, ["state", "memory"], quantizer=fine, readout_scale=scale, **settings
    )
    np.testing.assert_allclose(found["state"], exact, atol=1e-4)
    np.testing.assert_allclose(found["memory"], exact * scale, atol=1e-4)


def test_hidden_layer_sees_the_memory():
    x = smooth_input(50, np.random.RandomState(5))
    lmu, found = run_lmu(
        x,
        ["memory", "hidden"],
        order=4,
        theta_steps=16,
        n_hidden=7,
        hidden_type=nengo.RectifiedLinear(),
    )
    assert found["hidden"].shape == (50, 7)
    assert found["hidden"].any()


def test_feedback_starts_without_effect():
    x = smooth_input(50, np.random.RandomState(6))
    hidden = {"n_hidden": 7, "hidden_type": nengo.Tanh(tau_ref=1)}
    settings = {"order": 4, "theta_steps": 16, **hidden}
    plain = run_lmu(x, ["state"], **settings)[1]["state"]
    feedback = run_lmu(
        x, ["state"], hidden_to_memory=True, memory_to_memory=True, **settings
    )[1]["state"]
    np.testing.assert_array_equal(plain, feedback)


def test_memory_std_is_that_of_the_simulated_memory():
    x = np.random.RandomState(7).uniform(0, 1, (5, 20, 1))
    states = np.stack(
        [run_lmu(s, ["state"], order=4, theta_steps=12)[1]["state"] for s in x]
    )
    expected = states[:, -6:].std(axis=(0, 1))
    np.testing.assert_allclose(memory_std(4, 12, x, last_steps=6), expected)


@pytest.mark.parametrize("order", [0, -1, 2.5, "4", None])
def test_order_below_one_is_refused(order):
    with pytest.raises(BuildError) as caught:
        LMU(order, 10)
    assert str(caught.value) == (
        f"LMU needs order to be a whole number of at least 1, got {order!r}"
    )


@pytest.mark.parametrize("theta_steps", [0, 0.5, float("nan"), float("inf"), None])
def test_window_below_one_step_is_refused(theta_steps):
    with pytest.raises(BuildError) as caught:
        LMU(4, theta_steps)
    assert str(caught.value) == (
        "LMU needs theta_steps to be a number of time steps of at least 1, got "
        f"{theta_steps!r}"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"quantizer": {"middle": Identity()}},
            "LMU can be quantized at input, readout, loop, hub; got 'middle'",
        ),
        (
            {"quantizer": {"loop": Identity(), "readout": Identity()}},
            "LMU has one quantizer on its memory, got both readout and loop; loop "
            "quantizes the read-out too",
        ),
        (
            {"quantizer": {"loop": 4}},
            "LMU needs a neuron type to quantize its loop, got 4; pass "
            "HybridSpiking(Identity(), omega=...)",
        ),
        (
            {"n_hidden": 3},
            "LMU needs a neuron type as hidden_type for its hidden layer, got None; "
            "pass HybridSpiking(nengo.RectifiedLinear())",
        ),
        (
            {"hidden_to_memory": True},
            "LMU needs a hidden layer for hidden_to_hidden, hidden_to_memory and "
            "input_to_hidden, got n_hidden=0; pass n_hidden and hidden_type",
        ),
        (
            {"readout_scale": [1.0, 0.0, 1.0, 1.0]},
            "LMU needs a finite readout_scale above 0 everywhere",
        ),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(BuildError) as caught:
        LMU(4, 10, **settings)
    assert str(caught.value) == message


def test_readout_scale_of_the_wrong_size_is_refused():
    with pytest.raises(ShapeError) as caught:
        LMU(4, 10, readout_scale=np.ones(3))
    assert str(caught.value) == (
        "LMU needs a readout_scale of shape () or (4,), got (3,)"
    )


@pytest.mark.parametrize("order", [1, 2, 3, 8, 31])
def test_rotations_are_the_bilinear_memory_in_another_basis(order):
    # (I - A/2)^-1 (I + A/2) on orthonormal Legendre coefficients, by a linear solve
    theta_steps, i = 40, np.arange(order)
    root = np.sqrt(2 * i + 1)
    row, column = np.meshgrid(i, i, indexing="ij")
    sign = np.where(row < column, -1.0, (-1.0) ** (row - column + 1))
    A = np.outer(root, root) * sign / theta_steps
    b, eye = root * (-1.0) ** i / theta_steps, np.eye(order)
    found = rotations(order, theta_steps)
    basis = found.from_legendre * root
    np.testing.assert_allclose(basis @ basis.T, eye, atol=1e-10)
    stepped = np.linalg.solve(eye - A / 2, eye + A / 2)
    np.testing.assert_allclose(found.A, basis @ stepped @ basis.T, atol=1e-10)
    force = np.linalg.solve(eye - A / 2, b)
    np.testing.assert_allclose(found.B[:, 0], basis @ force, atol=1e-10)


def test_rotations_are_local_to_pairs_and_meet_in_two_hubs():
    found = rotations(16, 100)
    assert found.gather.shape == (2, 16) and found.spread.shape == (16, 2)
    pairs = np.kron(np.eye(8), np.ones((2, 2)))
    assert not found.local[pairs == 0].any()
    blocks = [found.local[i : i + 2, i : i + 2] for i in range(0, 16, 2)]
    angles = [np.arctan2(block[1, 0], block[0, 0]) for block in blocks]
    assert angles == sorted(angles) and angles[0] > 0
    for block, angle in zip(blocks, angles, strict=True):
        turn = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        np.testing.assert_allclose(block, turn, atol=1e-12)


def test_the_basis_of_rotations_remembers_the_same():
    # The two discretizations differ; a slow input does not tell them apart.
    x = smooth_input(300, np.random.RandomState(8))
    settings = {"order": 6, "theta_steps": 64}
    legendre = run_lmu(x, ["state"], **settings)[1]["state"]
    _, found = run_lmu(x, ["state"], basis="rotations", **settings)
    turned = legendre @ rotations(6, 64).from_legendre.T
    error = np.sqrt(np.mean((found["state"] - turned) ** 2))
    assert error < 0.02 * np.std(turned)


def test_the_basis_of_rotations_is_the_recurrence_computed_by_hand():
    x = np.random.RandomState(1).uniform(-1, 1, (20, 2))
    lmu, found = run_lmu(
        x, ["state"], order=5, theta_steps=10, size_in=2, basis="rotations"
    )
    m = np.zeros((2, 5))
    for step in range(20):
        m = m @ lmu.A.T + np.outer(x[step], lmu.B[:, 0])
        np.testing.assert_allclose(found["state"][step], m.ravel(), atol=1e-12)


def loop_error(basis, order=32, theta_steps=128):
    """Return the NRMSE that a quantizer in the loop puts on what the memory sends."""
    x = np.random.RandomState(9).normal(size=(600, 1))
    settings = {"order": order, "theta_steps": theta_steps, "basis": basis}
    exact = run_lmu(x, ["state"], **settings)[1]["state"]
    scale = 1 / exact.std(axis=0)
    loop = {"loop": HybridSpiking(Identity(), omega=2)}
    _, found = run_lmu(x, ["state"], quantizer=loop, readout_scale=scale, **settings)
    return np.sqrt(np.mean((found["state"] - exact) ** 2 * scale**2))


def test_noise_in_the_loop_does_not_add_up_among_rotations():
    assert loop_error("rotations") < 0.4 * loop_error("legendre")


def test_the_hub_is_quantized_relative_to_its_scale():
    x = smooth_input(200, np.random.RandomState(10))
    settings = {"order": 6, "theta_steps": 32, "basis": "rotations"}
    exact = run_lmu(x, ["state"], **settings)[1]["state"]
    errors = []
    for omega in (1e6, 8):
        places = {"loop": 1e6, "hub": omega}
        quantizer = {p: HybridSpiking(Identity(), omega=o) for p, o in places.items()}
        found = run_lmu(x, ["state"], quantizer=quantizer, hub_scale=3.0, **settings)
        errors.append(np.abs(found[1]["state"] - exact).max())
    assert errors[0] < 1e-4 < errors[1]


def test_hubs_are_of_the_basis_of_rotations():
    with pytest.raises(BuildError) as caught:
        LMU(4, 10, quantizer={"hub": HybridSpiking(Identity())})
    assert str(caught.value) == (
        "LMU has hubs in the basis of rotations only, got basis 'legendre' and a "
        "quantizer for its hub"
    )


def test_an_unknown_basis_is_refused():
    with pytest.raises(BuildError) as caught:
        LMU(4, 10, basis="fourier")
    assert str(caught.value) == (
        "LMU knows the bases legendre, rotations; got 'fourier'"
    )


def test_memory_std_of_a_decoder_is_that_of_the_sums():
    x = np.random.RandomState(11).uniform(0, 1, (6, 15, 1))
    gather = rotations(4, 12).gather
    _, found = run_lmu(x[0], ["state"], order=4, theta_steps=12, basis="rotations")
    std = memory_std(4, 12, x[:1], last_steps=5, basis="rotations", decoder=gather)
    np.testing.assert_allclose(std, (found["state"][-5:] @ gather.T).std(axis=0))


@pytest.mark.parametrize("basis", ["legendre", "rotations"])
def test_a_network_is_the_same_however_many_threads_compute_it(basis):
    x = np.random.RandomState(0).uniform(size=(300, 128, 1))
    found = set()
    for n_threads in (1, 2):
        with threadpool_limits(n_threads, "blas"):
            network = SequenceClassifier(
                x,
                10,
                order=128,
                theta_steps=128,
                n_hidden=8,
                basis=basis,
                quantize_loop=True,
                omega_hub=6 if basis == "rotations" else None,
                seed=0,
            )
            found.add(digest(to_graph(network, dt=1.0)))
    assert len(found) == 1
