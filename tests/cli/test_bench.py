"""The command bench: only in a source checkout."""

import json

import pytest

from nengo_hybrid.cli import bench
from nengo_hybrid.version import version


@pytest.fixture
def checkout(monkeypatch, tmp_path):
    """Stand in for a source checkout with a few benchmarks."""
    folder = tmp_path / "source" / "benchmarks"
    folder.mkdir(parents=True)
    (folder / "networks.py").write_text("def make():\n    pass\n")
    (folder / "speed.py").write_text(
        "import json, sys\n"
        "import nengo_hybrid\n"
        "def main():\n"
        "    open('ran', 'w').write(json.dumps(sys.argv[1:]))\n"
        "    sys.exit(3 if '--quick' in sys.argv else 0)\n"
        "main()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(bench.BENCHMARKS.parent))
    monkeypatch.setattr(bench, "BENCHMARKS", folder)
    return folder


def test_bench_runs_a_benchmark_of_the_checkout(run, checkout, tmp_path):
    (checkout.parent / "setup.py").write_text("")
    assert run("bench", "speed", "--json", "f.json").exit_code == 0
    assert json.loads((tmp_path / "ran").read_text()) == ["--json", "f.json"]
    assert run("bench", "speed", "--quick").exit_code == 3
    assert json.loads((tmp_path / "ran").read_text()) == ["--quick"]


def test_bench_lists_what_there_is(run, checkout, refused):
    (checkout.parent / "setup.py").write_text("")
    message = "HybridError: benchmark 'networks' is unknown; needed one of speed"
    refused(run("bench", "networks"), message)


def test_bench_of_a_wheel_says_where_benchmarks_are(run, checkout, refused):
    refused(
        run("bench", "speed"),
        f"HybridError: benchmarks come with the source of nengo-hybrid {version} only, "
        f"and '{checkout.parent}' has none; get the source (its git repository), and "
        "run `pip install -e .` there",
    )


def test_the_benchmarks_of_this_checkout_are_found():
    for name in ("emulate", "estimate", "train_step"):
        assert bench.find_benchmark(name).is_file()
