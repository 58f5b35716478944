"""The commands demo and report: refused before work, nothing left behind."""

import json

import pytest

from nengo_hybrid import datasets, pipeline, recipe_training
from nengo_hybrid.datasets import Dataset, Split
from nengo_hybrid.exceptions import EmulateError
from nengo_hybrid.recipe import RECIPES
from nengo_hybrid.report import load_json


@pytest.fixture
def no_work(monkeypatch):
    """Fail the test if the pipeline is started."""

    def fail(*args, **kwargs):
        raise AssertionError("work was started")

    monkeypatch.setattr(pipeline, "run_recipe", fail)


def test_demo_needs_a_folder_that_can_be_written(run, no_work, tmp_path, refused):
    (tmp_path / "file").write_text("kept")
    refused(
        run("demo", "--out", "file/below"),
        "BundleError: results need a folder that can be written, got 'file/below' "
        "(Not a directory); name another with --out",
    )
    refused(
        run("demo", "--out", "file"),
        "BundleError: results need a folder that can be written, got 'file' "
        "(File exists); name another with --out",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "kept"


def test_a_bad_folder_is_found_before_anything_large_is_imported(
    tmp_path, in_a_process_of_its_own
):
    (tmp_path / "file").write_text("")
    done = in_a_process_of_its_own(
        f"""
        import sys
        from nengo_hybrid.cli import main
        try:
            main(["demo", "--out", {str(tmp_path / "file" / "below")!r}])
        except SystemExit as stop:
            loaded = {{"tensorflow", "nengo_dl", "nengo_loihi"}} & set(sys.modules)
            print(stop.code, sorted(loaded))
        """
    )
    assert done.stdout == "2 []\n"


@pytest.mark.parametrize("name", ["loihi9", "cortex-m4"])
def test_demo_for_a_target_that_cannot_be_leaves_no_folder(
    run, no_work, tmp_path, name
):
    result = run("demo", "--target", name, "--out", "results")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"nengo-hybrid: TargetError: target '{name}' is ")
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_unknown_recipe_is_one_line(run, no_work, tmp_path, refused):
    known = ", ".join(sorted(path.stem for path in RECIPES.glob("*.json")))
    refused(
        run("demo", "--recipe", "letters", "--out", "results"),
        "BuildError: recipe 'letters' cannot be read (No such file or directory); "
        f"needed one of {known}, or the path of a JSON file",
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", ["bundle.zip", "loihi2.zip", "report.json", "report.html"]
)
def test_figures_of_the_demo_need_a_file_of_their_own(run, no_work, refused, name):
    refused(
        run("demo", "--target", "loihi2", "--out", "a", "--json", f"a/{name}"),
        f"BundleError: --json and the demo's {name} are the same file, 'a/{name}'; "
        "name another",
    )


def test_figures_of_the_demo_need_a_folder(run, no_work, refused):
    refused(
        run("demo", "--json", "none/figures.json"),
        "BundleError: --json needs a file in a folder that can be written, got "
        "'none/figures.json' (No such file or directory)",
    )


def test_seed_out_of_range_is_wrong_usage(run, no_work):
    result = run("demo", "--seed", "-1")
    assert result.exit_code == 2
    assert "Invalid value for '--seed'" in result.stderr


def test_report_of_a_missing_file(run, refused):
    refused(
        run("report", "none.json"),
        "BundleError: cannot read the report 'none.json': No such file or directory. "
        "Give the path of a report.json.",
    )


def test_report_of_what_is_not_json(run, tmp_path):
    (tmp_path / "report.json").write_text('{"schema": 1, "rec')
    result = run("report", "report.json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(
        "nengo-hybrid: BundleError: 'report.json' is not JSON: "
    )
    assert result.stderr.count("\n") == 1


def test_report_of_a_damaged_report_writes_no_page(run, tmp_path, refused):
    (tmp_path / "report.json").write_text('{"schema": 1}')
    refused(
        run("report", "report.json", "--html", "page.html"),
        "BundleError: 'report.json': report lacks the key 'recipe'; use None for a "
        "value that is not known",
    )
    assert not (tmp_path / "page.html").exists()


def few_digits(seed):
    """Return the first 16 pixels of a few digits."""
    data = datasets.digits(seed)
    parts = (
        Split(split.x[:n, :16], split.y[:n])
        for split, n in ((data.train, 40), (data.validation, 20), (data.test, 5))
    )
    return Dataset("few", *parts, n_classes=10)


@pytest.fixture
def tiny_recipe(tmp_path, monkeypatch):
    """Write a recipe of a few digits; return its path."""
    monkeypatch.setitem(recipe_training.DATASETS, "digits", few_digits)
    content = json.loads((RECIPES / "digits.json").read_text(encoding="utf-8"))
    content["name"] = "tiny"
    content["network"] |= {"order": 4, "theta_steps": 16, "n_hidden": 6}
    content["network"]["readout_steps"] = 4
    content["training"] |= {"epochs": 1, "minibatch_size": 20}
    content["deployment"]["chip_steps"] = 1
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(content))
    return path


def test_demo_writes_a_report_that_can_be_shown(
    run, tiny_recipe, tmp_path, monkeypatch
):
    tiny = ("--recipe", str(tiny_recipe), "--seed", "3")
    quiet = run("demo", *tiny, "--out", "a/b", "--quiet", "--json", "figures.json")
    assert (quiet.exit_code, quiet.stdout, quiet.stderr) == (0, "", "")
    written = sorted(path.name for path in (tmp_path / "a" / "b").iterdir())
    assert written == ["bundle.zip", "loihi1.zip", "report.html", "report.json"]
    report = load_json("a/b/report.json")
    assert (report["recipe"], report["seed"]) == ("tiny", 3)
    figures = (tmp_path / "figures.json").read_bytes()
    assert figures == (tmp_path / "a" / "b" / "report.json").read_bytes()

    shown = run("report", "a/b/report.json", "--html", "page.html")
    assert shown.exit_code == 0
    assert "emulated, not measured" in shown.stdout
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page == (tmp_path / "a" / "b" / "report.html").read_text(encoding="utf-8")

    monkeypatch.setattr(pipeline, "run_recipe", lambda *args, **kwargs: report)
    loud = run("demo", *tiny, "--out", "c")
    assert loud.exit_code == 0
    *table, last = loud.stdout.splitlines()
    assert "\n".join(table).strip() == shown.stdout.strip()
    assert last.endswith(
        " s; wrote bundle.zip, loihi1.zip, report.json and report.html into c"
    )
    piped = run("demo", *tiny, "--out", "c", "--json", "-")
    assert piped.stdout == (tmp_path / "c" / "report.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("change", [{"omega_output": None}, {"omega_hidden": None}])
def test_demo_refuses_what_the_chip_cannot_take_before_it_trains(
    run, tiny_recipe, monkeypatch, change
):
    content = json.loads(tiny_recipe.read_text())
    content["network"] |= change
    del content["deployment"], content["training"]["budgets"]
    tiny_recipe.write_text(json.dumps(content))
    monkeypatch.setattr(recipe_training, "train", None)
    result = run("demo", "--recipe", str(tiny_recipe), "--target", "loihi1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(
        "nengo-hybrid: LowerError: population 'output' is the output and has to be on "
        "the chip, but "
    )
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "target, name",
    [(None, "digits"), ("loihi1", "digits"), ("loihi2", "digits-graded")],
)
def test_the_demo_counts_finer_where_spikes_are_graded(
    run, monkeypatch, tmp_path, target, name
):
    asked = []

    def fail(recipe, *args, **kwargs):
        asked.append((recipe.name, recipe.deployment["target"]))
        raise EmulateError("enough")

    monkeypatch.setattr(pipeline, "run_recipe", fail)
    result = run("demo", *(["--target", target] if target else []), "--out", "a")
    assert result.exit_code == 1
    assert asked == [(name, target or "loihi1")]
