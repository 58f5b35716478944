"""The whole way on a few digits: what the report says is what was run."""

import json
import re

import nengo
import numpy as np
import pytest

from nengo_hybrid import datasets, pipeline, recipe_training, results
from nengo_hybrid.datasets import Dataset, Split
from nengo_hybrid.estimate import count_detail, count_ops
from nengo_hybrid.evaluation import evaluate
from nengo_hybrid.exceptions import (
    DataError,
    EmulateError,
    QuantizeError,
    TargetError,
    TrainError,
)
from nengo_hybrid.graph_run import run_neurons
from nengo_hybrid.metrics import activity_bits, classify
from nengo_hybrid.recipe import Recipe
from nengo_hybrid.report import load_json
from nengo_hybrid.report.schema import check_report
from nengo_hybrid.targets import load_target
from nengo_hybrid.train import Smoothing, train

N_STEPS, N_TEST, CHIP_STEPS, READOUT_STEPS = 16, 30, 3, 4


def few_digits(seed):
    """Return the first 16 pixels of a few digits."""
    data = datasets.digits(seed)

    def cut(split, n):
        return Split(split.x[:n, :N_STEPS], split.y[:n])

    parts = cut(data.train, 60), cut(data.validation, 20), cut(data.test, N_TEST)
    return Dataset("few", *parts, n_classes=10)


def tiny_recipe(**changes):
    fields = {
        "name": "tiny",
        "dataset": "digits",
        "network": {
            "order": 8,
            "theta_steps": N_STEPS,
            "n_hidden": 16,
            "readout_steps": READOUT_STEPS,
        },
        "training": {"epochs": 1, "minibatch_size": 20},
        "smoothing": {"start": 8},
        "deployment": {"target": "loihi1", "chip_steps": CHIP_STEPS},
        "compare": ("cortex-m4",),
    }
    return Recipe(**{**fields, **changes})


@pytest.fixture(scope="module")
def few():
    """Let the name "digits" stand for a few of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(recipe_training.DATASETS, "digits", few_digits)
        yield


@pytest.fixture(scope="module")
def ran(few, tmp_path_factory):
    """Run the tiny recipe once; return its report, the deployed, trace and progress."""
    seen = {"progress": []}
    run_deployed = pipeline.run_deployed

    def spy(deployed, *args, **kwargs):
        seen["deployed"] = deployed
        seen["trace"] = run_deployed(deployed, *args, **kwargs)
        return seen["trace"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "run_deployed", spy)
        seen["report"] = pipeline.run_recipe(
            tiny_recipe(),
            tmp_path_factory.mktemp("ran"),
            progress=False,
            on_sample=lambda *row: seen["progress"].append(row),
        )
    return seen


def test_report_has_every_key_of_the_schema(ran):
    report = ran["report"]
    plain = check_report(report)
    assert plain["schema"] == 1
    assert plain["recipe"] == "tiny"
    assert (plain["target"], plain["backend"]) == ("loihi1", "emulator")
    assert (plain["seed"], plain["stamp"]) == (0, "emulated, not measured")
    assert plain["data_sha256"] == few_digits(0).sha256
    assert plain["versions"]["numpy"] == np.__version__
    assert [row["target"] for row in plain["compare"]][-1] == "cortex-m4"
    json.dumps(plain, allow_nan=False)


def test_report_can_be_written_and_read(ran, tmp_path):
    paths = pipeline.write_report(ran["report"], tmp_path)
    assert [path.name for path in paths] == ["report.json", "report.html"]
    assert load_json(paths[0]) == check_report(ran["report"])
    assert "tiny" in paths[1].read_text(encoding="utf-8")


def test_counts_are_those_of_the_trace(ran):
    trace, counts = ran["trace"], ran["report"]["counts"]
    n_steps = N_STEPS * CHIP_STEPS + 2
    assert (trace.n_samples, trace.n_steps) == (N_TEST, n_steps)
    assert trace.n_input_steps == N_STEPS
    assert counts["n_steps"] == n_steps
    on_chip = [p for p in trace.populations.values() if p.on_chip]
    n_spikes = sum(int(p.spikes.sum()) for p in on_chip)
    assert n_spikes > 0
    assert counts["spikes"] == n_spikes / N_TEST
    # 16 hidden and 10 output neurons, each updated once a step.
    updates = counts["neuron_updates_active"] + counts["neuron_updates_inactive"]
    assert updates == pytest.approx(26 * n_steps)
    # Every spike of the memory goes into 16 synapses, every hidden one into 10.
    injected = trace.populations["lmu.readout"].spikes
    hidden = trace.populations["lmu.hidden"].spikes
    n_injected = int(np.abs(injected.astype(int)).sum())
    wanted = 16 * n_injected + 10 * int(hidden.sum())
    assert counts["synaptic_ops"] == pytest.approx(wanted / N_TEST)
    assert counts["host_messages"] == pytest.approx(n_injected / N_TEST)


def test_accuracy_is_that_of_the_trace(ran):
    report, trace = ran["report"], ran["trace"]
    last = trace.output_spikes[:, -READOUT_STEPS * CHIP_STEPS :]
    answers = np.argmax(last.sum(axis=1), axis=1)
    labels = few_digits(0).test.y
    assert report["accuracy"]["deployed"] == np.mean(answers == labels)
    assert report["accuracy"]["n_test"] == N_TEST
    confusion = np.asarray(report["confusion"])
    assert confusion.shape == (10, 10)
    assert confusion.max() > 1
    for row, column in np.ndindex(10, 10):
        wanted = np.sum((labels == row) & (answers == column))
        assert confusion[row, column] == wanted


def test_the_waterfall_ends_at_the_deployed_network(ran):
    rows = ran["report"]["waterfall"]["rows"]
    scores = {row["step"]: row["accuracy"] for row in rows}
    for name in ("hybrid", "deployed"):
        assert scores[name] == ran["report"]["accuracy"][name]
    assert scores["rates"] == ran["report"]["accuracy"]["rate"]
    assert {row["n_test"] for row in rows} == {N_TEST}


def test_activity_is_that_of_the_network_in_floats(ran):
    graph, test = ran["deployed"].graph, few_digits(0).test
    counts = pipeline.run_graph(graph, test.x, seed=0)
    wanted = {name: activity_bits(array) for name, array in counts.items()}
    for name, bits in wanted.items():
        assert ran["report"]["activity"][name] == pytest.approx(bits)
    assert set(wanted) == set(ran["report"]["activity"])
    assert set(wanted) == {"lmu.readout", "lmu.hidden", "output"}


def test_neurobench_is_that_of_the_network_in_floats(ran):
    graph, test = ran["deployed"].graph, few_digits(0).test
    found = ran["report"]["neurobench"]
    assert found["n_samples"] == N_TEST
    n_weights = sum(p.weights.size for p in graph.projections)
    assert found["SynapticOperations"]["Dense"] == N_STEPS * n_weights
    counts = pipeline.run_graph(graph, test.x, seed=0)
    values = np.concatenate([array.ravel() for array in counts.values()])
    assert found["ActivationSparsity"] == pytest.approx(np.mean(values == 0))


def test_counts_of_an_emulated_run_are_exact_core_by_core(ran):
    deployed, trace = ran["deployed"], ran["trace"]
    detail = count_detail(deployed.placement, trace, deployed.target)
    counts = count_ops(deployed.placement, trace, deployed.target)
    assert len(detail.cores) == 2
    for name in ("synaptic_ops", "neuron_updates_active", "neuron_updates_inactive"):
        parts = [getattr(core, name) for core in detail.cores.values()]
        assert {type(part) for part in parts} == {int}
        assert sum(parts) == getattr(counts, name)


def test_resources_are_those_of_the_placement(ran):
    placement, resources = ran["deployed"].placement, ran["report"]["resources"]
    assert (resources["chips"], resources["cores"]) == (1, 2)
    assert resources["compartments"] == 16 + 10
    # Two lines for each of the 8 coefficients, and 16 hidden neurons.
    assert resources["input_axons"] == 2 * 8 + 16
    assert resources["output_axons"] == 16
    assert resources["worst_core"] == placement.worst_core()
    hosts = {row["name"]: row["n_neurons"] for row in ran["report"]["host"]}
    assert hosts["lmu.readout"] == hosts["lmu.state"] == 8
    assert all(row["reason"] for row in ran["report"]["host"])


def test_cores_are_those_of_the_placement(ran):
    report, placement = ran["report"], ran["deployed"].placement
    mesh = {"cores_per_chip": 128, "cores_per_tile": 4, "mesh_columns": 8}
    assert report["mesh"] == mesh
    rows = {(row["chip"], row["core"]): row for row in report["cores"]}
    assert list(rows) == [(block.chip, block.core) for block in placement.blocks]
    hidden, output = rows.values()
    # Two lines for each of the 8 coefficients into 16 neurons, and these into 10.
    assert hidden["populations"] == {"lmu.hidden": 16}
    assert hidden["limits"]["compartments"] == (16, 1024)
    assert hidden["limits"]["input_axons"] == (2 * 8, 4096)
    assert output["populations"] == {"output": 10}
    assert output["limits"]["input_axons"] == (16, 4096)
    for row in (hidden, output):
        assert row["load"] == max(used / most for used, most in row["limits"].values())
    assert report["on_chip"] == [
        {"name": "lmu.hidden", "n_neurons": 16, "n_cores": 1, "n_chips": 1},
        {"name": "output", "n_neurons": 10, "n_cores": 1, "n_chips": 1},
    ]


def test_what_is_sent_is_that_of_the_network_in_floats(ran):
    graph, test = ran["deployed"].graph, few_digits(0).test
    counts = pipeline.run_graph(graph, test.x, seed=0)
    assert set(ran["report"]["sent"]) == set(counts)
    for name, array in counts.items():
        values, n = np.unique(array, return_counts=True)
        wanted = {str(int(v)): int(k) for v, k in zip(values, n, strict=True)}
        assert ran["report"]["sent"][name] == wanted
    assert "payload_bits" not in ran["report"]


def test_raster_is_one_sample_of_the_trace(ran):
    trace = ran["trace"]
    for name, raster in ran["report"]["raster"].items():
        spikes = trace.populations[name].spikes[0] != 0
        drawn = np.zeros_like(spikes)
        drawn[raster["times"], raster["neurons"]] = True
        assert np.array_equal(drawn, spikes)
        assert raster["n_neurons"] == spikes.shape[1]


def test_history_has_a_row_an_epoch_under_the_reports_names(ran):
    history = ran["report"]["history"]
    assert history["epoch"] == [0]
    assert set(history) == {"epoch", "loss", "val_loss", "val_accuracy", "omega"}


def test_progress_is_told_up_to_the_last_sample(ran):
    done = [n for n, _ in ran["progress"]]
    assert done == sorted(set(done)) and done[-1] == N_TEST
    assert {total for _, total in ran["progress"]} == {N_TEST}


def test_same_seed_gives_the_same_report(ran, tmp_path):
    again = pipeline.run_recipe(tiny_recipe(), tmp_path, progress=False)
    assert check_report(again) == check_report(ran["report"])


def test_seed_reaches_data_network_and_training(few, monkeypatch, tmp_path):
    given = []

    def spy(network, data, **settings):
        given.extend([network, data, settings])
        raise TrainError("far enough")

    monkeypatch.setattr(recipe_training, "train", spy)
    with pytest.raises(TrainError, match="^far enough$"):
        pipeline.run_recipe(tiny_recipe(), tmp_path, seed=5, progress=False)
    network, data, settings = given
    assert (network.seed, settings["seed"]) == (5, 5)
    assert data.sha256 == few_digits(5).sha256 != few_digits(0).sha256
    assert settings["smoothing"] == Smoothing(start=8)
    assert (settings["readout_steps"], settings["epochs"]) == (READOUT_STEPS, 1)


def no_training(*args, **kwargs):
    raise AssertionError("training was started")


def test_unknown_targets_are_found_before_training(monkeypatch, tmp_path):
    monkeypatch.setattr(recipe_training, "train", no_training)
    with pytest.raises(TargetError, match="^target 'abacus' is unknown"):
        pipeline.run_recipe(tiny_recipe(compare=("abacus",)), tmp_path)
    deployment = {"target": "cortex-m4", "chip_steps": 4}
    with pytest.raises(TargetError, match="^target 'cortex-m4' is a processor"):
        pipeline.run_recipe(tiny_recipe(deployment=deployment), tmp_path)
    assert not list(tmp_path.iterdir())


def test_unknown_data_set_is_found_before_training(monkeypatch, tmp_path):
    monkeypatch.setattr(recipe_training, "train", no_training)
    message = (
        "recipe tiny needs a dataset of digits, mnist, or an .npz file of your own, "
        "got 'letters'"
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        pipeline.run_recipe(tiny_recipe(dataset="letters"), tmp_path)


def test_versions_are_those_of_the_packages():
    found = results.versions()
    assert set(found) <= {"python", "nengo-hybrid", *results.PACKAGES}
    assert {"python", "nengo-hybrid", "nengo", "numpy"} <= set(found)


@pytest.fixture(scope="module")
def ran_graded(few, tmp_path_factory):
    """Run the tiny recipe on Loihi 2; return its report, the deployed and the trace."""
    seen = {}
    run_deployed, train_recipe = pipeline.run_deployed, recipe_training.train_recipe

    def keep(*args, **kwargs):
        data, seen["trained"] = train_recipe(*args, **kwargs)
        return data, seen["trained"]

    def spy(deployed, *args, **kwargs):
        seen["deployed"] = deployed
        seen["trace"] = run_deployed(deployed, *args, **kwargs)
        return seen["trace"]

    deployment = {"target": "loihi2", "chip_steps": CHIP_STEPS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "run_deployed", spy)
        patch.setattr(recipe_training, "train_recipe", keep)
        seen["report"] = pipeline.run_recipe(
            tiny_recipe(deployment=deployment, compare=("cortex-m4", "loihi1-fitted")),
            tmp_path_factory.mktemp("graded"),
            progress=False,
        )
    return seen


def test_a_report_of_loihi_2_is_that_of_its_run(ran_graded):
    report, trace = ran_graded["report"], ran_graded["trace"]
    deployed = ran_graded["deployed"]
    check_report(report)

    answers = classify(trace.output, READOUT_STEPS)
    labels = few_digits(0).test.y
    assert report["accuracy"]["deployed"] == np.mean(answers == labels)
    floats = {"readout_steps": READOUT_STEPS, "seed": None}
    same_start = evaluate(deployed.graph, few_digits(0).test, **floats)
    assert report["accuracy"]["hybrid"] == same_start.accuracy
    assert report["activity"] == same_start.activity
    names = [name for name in trace.by_bits if name != "x"]
    assert list(report["payload_bits"]) == names
    for name in names:
        sizes = report["payload_bits"][name]
        n_spikes = sum(n for bits, n in sizes.items() if bits != "0")
        assert n_spikes == trace.spikes(name).sum()
        n_neurons = deployed.quantized.population(name).n_neurons
        assert sum(sizes.values()) == n_neurons * N_TEST * N_STEPS
    sent = sum(trace.spikes(name).sum() for name in trace.by_bits if name != "x")
    assert report["counts"]["spikes"] == pytest.approx(sent / N_TEST)
    assert report["counts"]["host_macs"] == 0
    assert [row["name"] for row in report["host"]] == ["x"]
    assert "waterfall" not in report
    for key, ranges in (
        ("calibration_ranges", deployed.ranges),
        ("test_ranges", trace.ranges),
    ):
        assert [row["name"] for row in report[key]] == list(trace.by_bits)
        assert report[key] == [vars(row) for row in ranges]
    # Loihi 1's prices are not those of this run; the host's injection has none here.
    assert [row["target"] for row in report["compare"]] == ["cortex-m4"]
    assert report["energy"]["total_j"] is None
    assert "host_injection" in report["energy"]["unpriced"]


def test_a_raster_of_loihi_2_is_one_sample(ran_graded):
    deployed, raster = ran_graded["deployed"], ran_graded["report"]["raster"]
    x = few_digits(0).test.x[:1]
    alone = pipeline.run_deployed(deployed, x)

    for name, rows in raster.items():
        assert len(rows["times"]) == alone.spikes(name).sum()


def test_samples_follow_one_another_on_loihi_2(ran_graded):
    deployed, x = ran_graded["deployed"], few_digits(0).test.x[:4]
    apart = pipeline.run_deployed(deployed, x)
    x = x.reshape(1, -1, x.shape[2])
    stream = pipeline.run_deployed(deployed, x, reset_interval=N_STEPS)

    assert np.array_equal(stream.output.reshape(apart.output.shape), apart.output)
    assert stream.ranges == apart.ranges


def test_one_bit_spikes_have_no_reset(ran):
    words = (
        "run_deployed takes a reset_interval where spikes are graded; those of target "
        "'loihi1' are not: give every sample a row of x"
    )
    with pytest.raises(EmulateError, match=f"^{re.escape(words)}$"):
        pipeline.run_deployed(
            ran["deployed"], few_digits(0).test.x, reset_interval=N_STEPS
        )


def test_graded_spikes_need_calibration_data(ran_graded):
    message = (
        "target 'loihi2' has graded spikes, whose ranges are chosen on data; pass "
        "calibration=data.train.x"
    )
    with pytest.raises(QuantizeError, match=f"^{re.escape(message)}$"):
        pipeline.deploy(ran_graded["trained"], ran_graded["deployed"].target)


def test_a_network_of_lif_neurons_trains_as_rates_and_goes_to_loihi_2(caplog):
    data = few_digits(0)
    with nengo.Network(seed=0) as network:
        x = nengo.Node(np.zeros(1), label="x")
        own = {"gain": np.ones(20), "bias": np.ones(20), "label": "lif"}
        lif = nengo.LIF(tau_rc=20.0, tau_ref=2.0)
        hidden = nengo.Ensemble(20, 1, neuron_type=lif, **own)
        output = nengo.Node(size_in=10, label="output")
        weights = nengo.dists.Uniform(-2, 2)
        nengo.Connection(x, hidden.neurons, transform=weights, synapse=None)
        nengo.Connection(hidden.neurons, output, transform=weights, synapse=None)
        nengo.Probe(output)
    with caplog.at_level("INFO", logger="nengo_hybrid.train.engine"):
        trained = train(
            network,
            data,
            engine="auto",
            epochs=1,
            minibatch_size=20,
            readout_steps=READOUT_STEPS,
            progress=False,
        )
    assert "ensemble lif has neurons LIF, which train as rates" in caplog.text

    chip = load_target("loihi2")
    deployed = pipeline.deploy(trained, chip, calibration=data.train.x)
    trace = pipeline.run_deployed(deployed, data.test.x)

    assert [p.program for p in deployed.quantized.populations] == [
        "input",
        "cuba lif, subtracting",
        "sum",
    ]
    wanted = run_neurons(deployed.graph, data.test.x)
    spikes = trace.spikes("lif").sum()
    assert spikes > 100
    assert abs(spikes / wanted["lif"].sum() - 1) < 0.02
    found = trace.output * deployed.quantized.population("output").unit
    sums = [values.sum(axis=1) for values in (found, wanted["output"])]
    assert np.corrcoef(*(s.ravel() for s in sums))[0, 1] > 0.99
