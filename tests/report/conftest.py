"""Reports made by hand for the tests of this folder."""

import copy

import pytest

REPORT = {
    "recipe": "digits",
    "target": "loihi1",
    "backend": "emulator",
    "seed": 0,
    "versions": {"nengo-hybrid": "0.1.0", "nengo": "4.1.0", "python": "3.11.7"},
    "data_sha256": "ab" * 32,
    "stamp": "emulated, not measured",
    "accuracy": {"rate": 0.9833, "hybrid": 0.975, "deployed": 0.9722, "n_test": 360},
    "activity": {
        "input": {
            "bits_max": 4.0,
            "bits_entropy": 2.125,
            "significant_bits": 3.5,
            "spikes_per_step": 2.25,
        },
        "lmu.hidden": {
            "bits_max": 1.0,
            "bits_entropy": 0.5,
            "significant_bits": 0.75,
            "spikes_per_step": 12,
        },
    },
    "resources": {
        "chips": 1,
        "cores": 3,
        "compartments": 1310,
        "input_axons": 2048,
        "output_axons": 512,
        "synapse_bits": 1310720,
        "worst_core": {
            "compartments": 0.5,
            "input_axons": 0.25,
            "output_axons": 0.125,
            "synapse_bits": 0.957,
        },
    },
    "counts": {
        "synaptic_ops": 123456,
        "neuron_updates_active": 2000,
        "neuron_updates_inactive": 3000,
        "spikes": 450,
        "spike_hops": 900,
        "host_messages": 64,
        "n_steps": 66,
    },
    "energy": {
        "total_j": None,
        "dynamic_j": None,
        "static_j": 1.95e-5,
        "low_j": None,
        "high_j": None,
        "terms": [
            {
                "name": "synaptic_op",
                "count": 123456,
                "price_j": 23.6e-12,
                "low_j": 2.91e-6,
                "high_j": 4.38e-6,
                "energy_j": 2.91e-6,
                "evidence": "simulated",
                "source": "davies2018 table 2",
            },
            {
                "name": "neuron_update_active",
                "count": 2000,
                "price_j": 81e-12,
                "low_j": 1.04e-7,
                "high_j": 1.62e-7,
                "energy_j": 1.62e-7,
                "evidence": "simulated",
                "source": "davies2018 table 2",
            },
            {"name": "host_message", "count": 64},
        ],
        "unpriced": ["host_message"],
    },
    "latency": {"step_s": 1.2e-5, "inference_s": 7.92e-4, "bound_by": "synaptic_op"},
    "compare": [
        {
            "target": "cpu_i7_4960x",
            "energy_j": 4.3e-4,
            "low_j": 3e-4,
            "high_j": 1.8e-3,
            "evidence": "fitted",
        },
        {"target": "loihi2", "energy_j": None, "evidence": "none published"},
    ],
}

EXTRAS = {
    "host": [
        {
            "name": "lmu.state",
            "reason": "a linear node: its values are floats, not spikes",
            "n_neurons": 32,
        }
    ],
    "mesh": {"cores_per_chip": 128, "cores_per_tile": 4, "mesh_columns": 8},
    "cores": [
        {
            "chip": 0,
            "core": 6,
            "load": 0.957,
            "limits": {
                "compartments": [512, 1024],
                "input_axons": [1024, 4096],
                "output_axons": [512, None],
                "synapse_bits": [1003487, 1048576],
            },
            "populations": {"lmu.hidden": 500, "output": 12},
        },
        {
            "chip": 1,
            "core": 33,
            "load": 0.25,
            "limits": {
                "compartments": [256, 1024],
                "input_axons": [64, 4096],
                "output_axons": [0, None],
                "synapse_bits": [131072, 1048576],
            },
            "populations": {"lmu.hidden": 256},
        },
    ],
    "on_chip": [
        {"name": "lmu.hidden", "n_neurons": 756, "n_cores": 2, "n_chips": 2},
        {"name": "output", "n_neurons": 12, "n_cores": 1, "n_chips": 1},
    ],
    "calibration_ranges": [
        {
            "name": "input",
            "payload": [240, 255],
            "state": None,
            "saturated": 0.0,
            "error": [0.01234, 1.5],
        },
        {
            "name": "lmu.hidden",
            "payload": [31, 32767],
            "state": [4200534, 8388607],
            "saturated": 0.0,
            "error": [0.25, 1.0],
        },
    ],
    "test_ranges": [
        {
            "name": "lmu.hidden",
            "payload": [40, 32767],
            "state": [5200534, 8388607],
            "saturated": 0.0,
            "error": None,
        },
    ],
    "sent": {"input": {"-1": 1, "0": 7, "2": 2}, "lmu.hidden": {"0": 9, "1": 1}},
    "payload_bits": {"lmu.hidden": {"0": 5, "3": 4, "4": 1}},
    "history": {
        "epoch": [1, 2, 3, 4],
        "loss": [2.1, 0.9, 0.4, 0.2],
        "accuracy": [0.4, 0.8, 0.92, 0.98],
        "val_accuracy": [0.5, 0.79, None, 0.96],
        "omega": [64, 16, 4, 1.5],
    },
    "waterfall": {
        "rows": [
            {
                "step": "rates",
                "accuracy": 0.9833,
                "n_test": 360,
                "delta": None,
                "standard_error": None,
                "n_lost": None,
                "n_gained": None,
            },
            {
                "step": "one_bit",
                "accuracy": 0.9611,
                "n_test": 360,
                "delta": -0.0222,
                "standard_error": 0.011,
                "n_lost": 12,
                "n_gained": 4,
            },
            {
                "step": "deployed",
                "accuracy": 0.9722,
                "n_test": 360,
                "delta": 0.0111,
                "standard_error": 0.005,
                "n_lost": 0,
                "n_gained": 4,
            },
        ],
        "populations": [
            {
                "step": "one_bit",
                "name": "lmu.hidden",
                "error": 0.0672,
                "causes": {"wants_two_spikes": 0.1421, "thrown_away": 0.25},
            },
            {"step": "deployed", "name": "lmu.hidden", "error": 0.0, "causes": {}},
        ],
    },
    "confusion": [
        [30 if i == j else (i + j) % 3 for j in range(10)] for i in range(10)
    ],
    "raster": {
        "input": {"times": [0, 1, 1, 3], "neurons": [0, 1, 2, 0], "n_neurons": 4},
        "lmu.hidden": {"times": [2, 5, 7], "neurons": [99, 3, 63], "n_neurons": 100},
    },
    "seeds": {"network": 0, "training": 1},
    "sweep": [
        {
            "name": "direct 1:1",
            "accuracy": 0.98,
            "bits_max": 3.2,
            "significant_bits": 0.4,
            "synaptic_ops": 1.25e6,
            "on_front": True,
        },
        {
            "name": "rates",
            "accuracy": 0.97,
            "bits_max": None,
            "significant_bits": None,
            "synaptic_ops": None,
            "on_front": False,
        },
    ],
}


@pytest.fixture
def minimal():
    """A report with the required keys alone; its total is withheld."""
    return copy.deepcopy(REPORT)


@pytest.fixture
def full(make_full):
    """A report with every optional part and a total."""
    return make_full()


@pytest.fixture(scope="session")
def make_full():
    """Makes such a report anew, for tests with many examples."""

    def make():
        report = copy.deepcopy({**REPORT, **EXTRAS})
        report["energy"].update(
            total_j=2.26e-5, dynamic_j=3.1e-6, low_j=2.1e-5, high_j=3.3e-5, unpriced=[]
        )
        report["energy"]["terms"].pop()
        return report

    return make
