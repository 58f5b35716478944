"""train, deploy, emulate, estimate, report: each goes on from the last one's file."""

import dataclasses
import json
import signal

import numpy as np
import pytest

from nengo_hybrid import datasets, pipeline, recipe_training
from nengo_hybrid.bundle import (
    Bundle,
    archive,
    load_bundle,
    load_deployed,
    save_bundle,
    save_deployed,
)
from nengo_hybrid.datasets import Dataset, Split
from nengo_hybrid.graphs import digest
from nengo_hybrid.recipe import load_recipe
from nengo_hybrid.targets import load_target

pytest.importorskip("tensorflow")
pytest.importorskip("nengo_dl")

N_TEST = 12
RECIPE = {
    "schema": 1,
    "name": "tiny",
    "dataset": "digits",
    "network": {
        "order": 4,
        "theta_steps": 16,
        "n_hidden": 6,
        "omega_readout": 4,
        "omega_hidden": 4,
        "omega_output": 2,
        "readout_steps": 4,
    },
    "training": {"epochs": 1, "minibatch_size": 20},
    "smoothing": {"start": 8},
    "deployment": {"target": "loihi1", "chip_steps": 2},
    "compare": ["loihi1-fitted", "cortex-m4"],
}


def few_digits(seed):
    """Return the first 16 pixels of a few digits."""
    data = datasets.digits(seed)
    sizes = ((data.train, 40), (data.validation, 20), (data.test, N_TEST))
    parts = (Split(split.x[:n, :16], split.y[:n]) for split, n in sizes)
    return Dataset("few", *parts, n_classes=10)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setitem(recipe_training.DATASETS, "digits", few_digits)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Train the tiny recipe once; return the bytes of its bundle."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "tiny.json").write_text(json.dumps(RECIPE))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(recipe_training.DATASETS, "digits", few_digits)
        recipe = load_recipe(folder / "tiny.json")
        recipe_training.train_into(recipe, folder, seed=3, progress=False)
    return (folder / "bundle.zip").read_bytes()


@pytest.fixture
def trained(bundle, tmp_path):
    """Put the trained bundle into ``run``."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "bundle.zip").write_bytes(bundle)
    return tmp_path / "run"


@pytest.fixture(scope="module")
def made(bundle, tmp_path_factory):
    """Deploy, run and price once for each chip; return the bytes of each step."""
    folder, steps = tmp_path_factory.mktemp("made"), {}
    (folder / "bundle.zip").write_bytes(bundle)
    for target in ("loihi1", "loihi2"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(recipe_training.DATASETS, "digits", few_digits)
            chip, trained = load_target(target), load_bundle(folder / "bundle.zip")
            deployed = pipeline.deploy_bundle(trained, chip)
            test = few_digits(3).test
            emulated = pipeline.run_test(deployed, test, seed=3)
            priced = pipeline.estimate_run(emulated)
        for step, each in (
            ("deploy", deployed),
            ("emulate", emulated),
            ("estimate", priced),
        ):
            path = save_deployed(each, folder / "a.zip")
            steps[target, step] = path.read_bytes()
    return steps


@pytest.fixture
def after(made, tmp_path):
    """Return a function that puts the file after some step; it returns its name."""

    def put(step, target="loihi1"):
        (tmp_path / f"{target}.zip").write_bytes(made[target, step])
        return f"{target}.zip"

    return put


def done(result):
    assert result.exit_code == 0, result.stderr
    return result


@pytest.mark.parametrize("target", ["loihi1", "loihi2"])
def test_the_demo_is_the_steps(run, trained, tmp_path, target, monkeypatch):
    (tmp_path / "tiny.json").write_text(json.dumps(RECIPE))
    same = few_digits(3), load_bundle("run/bundle.zip")
    if target == "loihi2":  # The training is the same; once is enough.
        monkeypatch.setattr(pipeline, "train_bundle", lambda *args, **kwargs: same)
    recipe = ("--recipe", "tiny.json", "--target", target, "--seed", "3")
    done(run("demo", *recipe, "--out", "demo", "--quiet"))
    assert digest(load_bundle("demo/bundle.zip").graph) == digest(same[1].graph)
    before, file = contents(tmp_path / "demo"), f"demo/{target}.zip"

    done(run("deploy", "demo", "--target", target))
    assert load_deployed(file).run is None
    done(run("emulate", file, "--batch-size", "5"))
    done(run("estimate", file))
    page = ("--html", "demo/report.html")
    done(run("report", file, "--json", "demo/report.json", *page))
    assert contents(tmp_path / "demo") == before
    assert "tiny" in before[tmp_path / page[1]].decode()


def test_each_step_writes_its_figures(run, after):
    file = after("deploy")
    run_json = json.loads(done(run("emulate", file, "--json", "-")).stdout)
    labels, loaded = few_digits(3).test.y, load_deployed(file)
    assert run_json["accuracy"]["deployed"] == np.mean(loaded.run.answers == labels)
    assert (run_json["recipe"], run_json["seed"]) == ("tiny", 3)
    priced = json.loads(done(run("estimate", file, "--json", "-")).stdout)
    assert [row["target"] for row in priced["compare"]] == RECIPE["compare"]
    assert json.loads(done(run("report", file, "--json", "-")).stdout) == {
        "schema": 1,
        **priced,
    }


def test_some_samples_in_batches_with_another_seed(run, after):
    file = after("deploy")
    done(run("emulate", file, "--samples", "5", "--batch-size", "2", "--seed", "8"))
    found = load_deployed(file)
    assert (found.run.trace.n_samples, found.run.figures["seed"]) == (5, 8)
    whole = pipeline.run_deployed(found, few_digits(3).test.x[:5], seed=8)
    assert digest(whole) == digest(found.run.trace)


def test_an_estimate_compares_with_the_processors_that_are_named(run, after):
    file = after("emulate")
    named = ("--target", "cortex-m4", "--target", "jetson-tx1", "--target", "loihi1")
    done(run("estimate", file, *named))
    rows = load_deployed(file).estimate["compare"]
    assert {row["target"] for row in rows} == {"cortex-m4", "jetson-tx1", "loihi1"}


def test_another_run_drops_the_estimate(run, after):
    file = after("estimate")
    done(run("emulate", file, "--samples", "3", "--quiet"))
    assert load_deployed(file).estimate is None
    assert run("report", file).exit_code == 2


@pytest.mark.parametrize("target", ["loihi1", "loihi2"])
def test_tables_fit_80_columns(run, after, trained, monkeypatch, target):
    monkeypatch.setenv("COLUMNS", "80")
    file = after("deploy", target)
    for command in (
        ("deploy", "run", "--target", target),
        ("emulate", file),
        ("estimate", file),
        ("report", file),
    ):
        lines = done(run(*command)).stdout.splitlines()
        assert max(map(len, lines)) <= 80
        assert not any("\u2026" in line or "\x1b" in line for line in lines)


def test_quiet_steps_say_nothing(run, after, trained):
    file = after("deploy")
    for command in (("deploy", "run"), ("emulate", file), ("estimate", file)):
        result = done(run(*command, "--quiet"))
        assert (result.stdout, result.stderr) == ("", "")
    page = ("--html", "page.html")
    assert done(run("report", file, *page, "--quiet")).stdout == ""


def test_the_next_command_can_be_typed_where_a_folder_has_a_space(
    run, trained, refused
):
    trained.rename("my run")
    words = [done(run("deploy", "my run", "--target", "loihi1")).stdout]
    refused(
        run("estimate", "my run/loihi1.zip"),
        "BundleError: bundle my run/loihi1.zip has no run yet; run `nengo-hybrid "
        "emulate 'my run/loihi1.zip'` first",
    )
    refused(
        run("estimate", "my run/bundle.zip"),
        "BundleError: bundle my run/bundle.zip is of kind trained; needed a deployed "
        "one; run `nengo-hybrid deploy 'my run/bundle.zip'` first",
    )
    words += [
        done(run(step, "my run/loihi1.zip")).stdout for step in ("emulate", "estimate")
    ]
    assert [text.splitlines()[-1] for text in words] == [
        f"wrote my run/loihi1.zip; next: nengo-hybrid {step} 'my run/loihi1.zip'"
        for step in ("emulate", "estimate", "report")
    ]


def test_a_real_report_is_valid(run, after):
    fastjsonschema = pytest.importorskip("fastjsonschema")
    schema = json.loads(run("schema", "report").stdout)
    for target in ("loihi1", "loihi2"):
        text = run("report", after("estimate", target), "--json", "-").stdout
        fastjsonschema.validate(schema, json.loads(text))


@pytest.mark.parametrize("out", [(), ("--out", "other.zip")])
def test_a_deployed_network_takes_the_place_of_an_older_one(
    run, trained, tmp_path, out
):
    path = tmp_path / "other.zip" if out else trained / "loihi1.zip"
    path.write_text("older")
    done(run("deploy", "run/bundle.zip", *out, "--chip-steps", "3", "--seed", "5"))
    assert load_deployed(path).quantized.chip_steps == 3
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_run_that_its_file_cannot_hold_is_refused_before_work(
    run, after, refused, monkeypatch
):
    file = after("deploy")
    found = load_deployed(file)
    trace = pipeline.run_deployed(found, few_digits(3).test.x)
    spikes = ("spikes", "updates_active", "updates_inactive", "active_by_block")
    arrays = [
        array
        for population in trace.populations.values()
        for array in (getattr(population, name) for name in spikes)
        if array is not None
    ]
    n_bytes = sum(array.nbytes for array in arrays)
    limit = n_bytes - 1

    def limited(seed):
        # Once the file is loaded, whose tables alone are as large.
        monkeypatch.setattr(archive, "LARGEST_BYTES", limit)
        return few_digits(seed)

    monkeypatch.setitem(recipe_training.DATASETS, "digits", limited)
    monkeypatch.setattr(pipeline, "run_test", None)
    refused(
        run("emulate", file),
        f"BundleError: a run of 12 samples takes {n_bytes:,} bytes, and a bundle may "
        f"have {limit:,}; emulate at most --samples 11",
    )


def test_an_interrupt_leaves_the_file_as_it_was(run, after, tmp_path, monkeypatch):
    file = after("deploy")
    before = (tmp_path / file).read_bytes()
    run_graph = pipeline.run_graph

    def interrupted(*args, **kwargs):
        signal.raise_signal(signal.SIGINT)
        return run_graph(*args, **kwargs)

    monkeypatch.setattr(pipeline, "run_graph", interrupted)
    result = run("emulate", file)
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr == f"nengo-hybrid: interrupted; {file} is as it was\n"
    assert (tmp_path / file).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [file]


def test_a_failed_run_has_status_1_and_leaves_the_file(run, after, tmp_path):
    file = after("deploy", "loihi2")
    before = (tmp_path / file).read_bytes()

    def large(seed):
        data = few_digits(seed)
        test = Split(1000 * data.test.x, data.test.y)
        return Dataset("few", data.train, data.validation, test, n_classes=10)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(recipe_training.DATASETS, "digits", large)
        about = load_deployed(file).about
        assert run("emulate", file).exit_code == 2  # other data than it was trained on
        patch.setitem(about, "data_sha256", large(3).sha256)
        save_deployed(
            dataclasses.replace(load_deployed(file), about=about), tmp_path / file
        )
        before = (tmp_path / file).read_bytes()
        result = run("emulate", file)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("nengo-hybrid: EmulateError: input population 'x' ")
    assert (tmp_path / file).read_bytes() == before


@pytest.mark.parametrize(
    "command, message",
    [
        (
            ("deploy", "none"),
            "BundleError: bundle none cannot be read (No such file or directory); "
            "needed a zip that `nengo-hybrid train` wrote",
        ),
        (
            ("deploy", "empty"),
            "BundleError: bundle empty/bundle.zip cannot be read (No such file or "
            "directory); needed a zip that `nengo-hybrid train` wrote",
        ),
        (
            ("deploy", "broken.json"),
            "BundleError: bundle broken.json cannot be read (File is not a zip file); "
            "needed a zip that `nengo-hybrid train` wrote",
        ),
        (
            ("deploy", "loihi1.zip"),
            "BundleError: bundle loihi1.zip is of kind deployed; needed a trained "
            "network, such as run/bundle.zip",
        ),
        (
            ("deploy", "run", "--target", "cortex-m4"),
            "TargetError: target 'cortex-m4' is a processor, onto which no network is "
            "mapped; needed loihi1, loihi1-fitted, loihi2, and name it in compare "
            "instead",
        ),
        (
            ("deploy", "run", "--out", "none/a.zip"),
            "BundleError: --out needs a file in a folder that can be written, got "
            "'none/a.zip' (No such file or directory)",
        ),
        (
            ("deploy", "run", "--out", "empty"),
            "BundleError: --out needs a file in a folder that can be written, got "
            "'empty' (Is a directory)",
        ),
        (
            ("deploy", "run", "--out", "run/bundle.zip"),
            "BundleError: --out and RUN are the same file, 'run/bundle.zip'; name "
            "another",
        ),
        (
            ("deploy", "run", "--json", "run/loihi1.zip"),
            "BundleError: --json and --out are the same file, 'run/loihi1.zip'; name "
            "another",
        ),
        (
            ("deploy", "run", "--chip-steps", "-1"),
            "Invalid value for '--chip-steps': -1 is not in the range x>=1; see "
            "nengo-hybrid deploy --help",
        ),
        (
            ("deploy", "run", "--seed", "-1"),
            "Invalid value for '--seed': -1 is not in the range 0<=x<=2147483647; see "
            "nengo-hybrid deploy --help",
        ),
        (
            ("deploy", "run", "--target", "loihi2", "--chip-steps", "4"),
            "Option '--chip-steps' is for Loihi 1, not for target loihi2; see "
            "nengo-hybrid deploy --help",
        ),
        (
            ("deploy", "no-target.zip"),
            "BundleError: the recipe of no-target.zip has no target; name one, such as "
            "--target loihi2",
        ),
        (
            ("deploy", "no-target.zip", "--target", "loihi2"),
            "DataError: the bundle names no recipe, and so no data set; needed one "
            "that `nengo-hybrid train` wrote",
        ),
        (
            ("emulate", "none.zip"),
            "BundleError: bundle none.zip cannot be read (No such file or directory); "
            "needed a zip that `nengo-hybrid deploy` wrote",
        ),
        (
            ("emulate", "none"),
            "BundleError: bundle none cannot be read (No such file or directory); "
            "needed a zip that `nengo-hybrid deploy` wrote",
        ),
        (
            ("emulate", "run/bundle.zip"),
            "BundleError: bundle run/bundle.zip is of kind trained; needed a deployed "
            "one; run `nengo-hybrid deploy run/bundle.zip` first",
        ),
        (
            ("emulate", "run"),
            "BundleError: bundle run cannot be read (Is a directory); needed a zip "
            "that `nengo-hybrid deploy` wrote",
        ),
        (
            ("emulate", "loihi1.zip", "--samples", "13"),
            "DataError: --samples needs at most the 12 samples of the test set, got 13",
        ),
        (
            ("emulate", "loihi1.zip", "--samples", "0"),
            "Invalid value for '--samples': 0 is not in the range x>=1; see "
            "nengo-hybrid emulate --help",
        ),
        (
            ("emulate", "loihi1.zip", "--batch-size", "-2"),
            "Invalid value for '--batch-size': -2 is not in the range x>=1; see "
            "nengo-hybrid emulate --help",
        ),
        (
            ("emulate", "loihi1.zip", "--time", "1"),
            "Option '--time' is for networks of Python files, not for bundles; see "
            "nengo-hybrid emulate --help",
        ),
        (
            ("emulate", "model.py:net", "--time", "1", "--samples", "3"),
            "Option '--samples' is for bundles, not for networks of Python files; see "
            "nengo-hybrid emulate --help",
        ),
        (
            ("emulate", "loihi1.zip", "--json", "loihi1.zip"),
            "BundleError: --json and FILE are the same file, 'loihi1.zip'; name "
            "another",
        ),
        (
            ("estimate", "loihi1.zip"),
            "BundleError: bundle loihi1.zip has no run yet; run `nengo-hybrid emulate "
            "loihi1.zip` first",
        ),
        (
            ("estimate", "run/bundle.zip"),
            "BundleError: bundle run/bundle.zip is of kind trained; needed a deployed "
            "one; run `nengo-hybrid deploy run/bundle.zip` first",
        ),
        (
            ("estimate", "ran.zip", "--target", "loihi2"),
            "EstimateError: target 'loihi2' cannot be compared with by prices alone; "
            "map the network onto it, run it, and estimate that",
        ),
        (
            ("report", "ran.zip"),
            "BundleError: bundle ran.zip has no estimate yet; run `nengo-hybrid "
            "estimate ran.zip` first",
        ),
        (
            ("report", "run/bundle.zip", "--html", "page.html"),
            "BundleError: bundle run/bundle.zip is of kind trained; needed a deployed "
            "one; run `nengo-hybrid deploy run/bundle.zip` first",
        ),
        (
            ("schema", "bundle"),
            "Invalid value for '{recipe|report}': 'bundle' is not one of 'recipe', "
            "'report'; see nengo-hybrid schema --help",
        ),
        (
            ("train", "broken.json", "--out", "new"),
            "BuildError: recipe broken.json is not JSON: Expecting value: line 1 "
            "column 12 (char 11)",
        ),
    ],
)
def test_bad_input_is_one_line(
    run, after, trained, made, tmp_path, refused, command, message
):
    after("deploy")
    (tmp_path / "ran.zip").write_bytes(made["loihi1", "emulate"])
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.json").write_text('{"schema": ')
    graph = load_bundle(trained / "bundle.zip").graph
    save_bundle(Bundle(graph, {"seed": 0, "readout_steps": 4}), "no-target.zip")
    before = contents(tmp_path)
    refused(run(*command), message)
    assert contents(tmp_path) == before


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("command", ["estimate", "emulate"])
def test_an_unknown_target_or_missing_data_are_one_line(
    run, after, refused, monkeypatch, command
):
    if command == "estimate":
        result = run("estimate", after("emulate"), "--target", "abacus")
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith(
            "nengo-hybrid: TargetError: target 'abacus' is unknown; needed one of "
        )
        return
    monkeypatch.setitem(recipe_training.DATASETS, "digits", datasets.mnist)
    monkeypatch.delenv("NENGO_HYBRID_DATA", raising=False)
    refused(
        run("emulate", after("deploy")),
        "DataError: mnist needs the folder with mnist.npz, but NENGO_HYBRID_DATA is "
        "not set; set it, or pass path=",
    )


def test_a_network_of_rates_is_refused_before_work(run, trained, monkeypatch, refused):
    bundle = load_bundle("run/bundle.zip")
    *others, output = bundle.graph.populations
    rates = dataclasses.replace(output, omega=None, initial_voltage=None)
    graph = dataclasses.replace(bundle.graph, populations=(*others, rates))
    save_bundle(Bundle(graph, bundle.about), "rates.zip")
    monkeypatch.setattr(pipeline, "place", None)
    refused(
        run("deploy", "rates.zip", "--target", "loihi1"),
        "LowerError: population 'output' is the output and has to be on the chip, but "
        "it sends rates; Loihi 1 sends nothing but one-bit spikes; train it as "
        "hybrid-spiking RectifiedLinear neurons of spiking inputs, or take a target "
        "with graded spikes",
    )
