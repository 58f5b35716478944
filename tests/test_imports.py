"""
The one rule: stages never import stages.

Every import in the package, at whatever depth, is read from the source; nothing
is imported to find out.
"""

import ast
import pathlib
import subprocess
import sys
import textwrap

import pytest

import nengo_hybrid

PACKAGE = pathlib.Path(nengo_hybrid.__file__).parent

STAGES = {
    "train",
    "lower",
    "quantize",
    "mapping",
    "emulate",
    "hardware",
    "estimate",
    "report",
    # From files, as `lower` is from networks; they meet nothing but types.
    "interchange",
}
# What stages meet in. Neurons and networks are what `build` makes, and the
# language that train and lower read.
TYPES = {
    "accuracy_steps",
    "bundle",
    "checkup",
    "chip_numbers",
    "datasets",
    "deployed",
    "evaluation",
    "exceptions",
    "graded_trace",
    "graph_run",
    "graphs",
    "metrics",
    "names",
    "network_graph",
    "networks",
    "neurons",
    "outline",
    "parameters",
    "placement",
    "targets",
    "trace",
    "trained",
    "version",
}
# Who knows the order; "" is the package's own __init__. The simulator is the order of
# one network that runs on host and chip in turns; the doctor, of one that is not run;
# step_runs is that of a deployment that is stopped after each step; recipe_training
# goes as far as a bundle.
ORDER = {
    "",
    "cli",
    "doctor",
    "pipeline",
    "recipe_training",
    "results",
    "simulator",
    "step_runs",
}

# Who may import a library; the shims of compat may import what they mend.
KEEPERS = {
    "tensorflow": {"train", "compat"},
    "keras": {"train", "compat"},
    "tf_keras": {"train", "compat"},
    "nengo_dl": {"train", "compat"},
    "nengo_loihi": {"lower", "hardware", "board", "compat"},
}


def breaches(root):
    """List every import under a package folder that breaks the rule."""
    found = []
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        room = "" if parts == ("__init__",) else parts[0]
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node, module in imported(tree, (root.name, *parts)):
            words = breach(room, module.split("."), root.name)
            if words:
                found.append(f"{path.relative_to(root)}:{node.lineno}: {words}")
    return list(dict.fromkeys(found))


def breach(room, module, package):
    """Say in words what is wrong with one import, or return None."""
    if module[0] in KEEPERS and room not in KEEPERS[module[0]]:
        keepers = ", ".join(sorted(KEEPERS[module[0]]))
        return f"imports {module[0]}, which only {keepers} may"
    if module[0] != package or room in ORDER:
        return None
    other = module[1] if len(module) > 1 else ""
    if other == room or other in TYPES or other == "compat":
        return None
    if other in STAGES:
        kind = "stage" if room in STAGES else "type"
        return f"{kind} {room} imports stage {other}; only pipeline may"
    return f"{room} imports {other or 'the package itself'}, which holds no types"


def imported(tree, here):
    """Yield each import as (node, full dotted name), relative ones resolved."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(here[: len(here) - node.level]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            whole = module == here[0]
            for alias in node.names:
                yield node, f"{module}.{alias.name}" if whole else module
        elif isinstance(node, ast.Call) and called_name(node) in (
            "import_module",
            "__import__",
        ):
            named = node.args and isinstance(node.args[0], ast.Constant)
            if named:
                yield node, node.args[0].value


def called_name(call):
    function = call.func
    return getattr(function, "attr", getattr(function, "id", None))


def test_stages_meet_only_in_types():
    assert breaches(PACKAGE) == []


@pytest.mark.parametrize(
    "path, source, words",
    [
        (
            "emulate/engine.py",
            "from nengo_hybrid.estimate import price",
            "stage emulate imports stage estimate; only pipeline may",
        ),
        (
            "emulate/engine.py",
            "def f():\n    from ..estimate.prices import price",
            "stage emulate imports stage estimate; only pipeline may",
        ),
        (
            "report/text.py",
            "from nengo_hybrid import train",
            "stage report imports stage train; only pipeline may",
        ),
        (
            "graphs/spiking.py",
            "import nengo_hybrid.lower.loihi",
            "type graphs imports stage lower; only pipeline may",
        ),
        (
            "lower/loihi.py",
            "import importlib\nimportlib.import_module('nengo_hybrid.quantize')",
            "stage lower imports stage quantize; only pipeline may",
        ),
        (
            "mapping/mapper.py",
            "from nengo_hybrid import pipeline",
            "mapping imports pipeline, which holds no types",
        ),
        (
            "mapping/mapper.py",
            "import nengo_hybrid",
            "mapping imports the package itself, which holds no types",
        ),
        (
            "metrics.py",
            "import tensorflow as tf",
            "imports tensorflow, which only compat, train may",
        ),
        (
            "cli/emulate.py",
            "def f():\n    from nengo_dl import Simulator",
            "imports nengo_dl, which only compat, train may",
        ),
        (
            "emulate/engine.py",
            "import nengo_loihi.block",
            "imports nengo_loihi, which only board, compat, hardware, lower may",
        ),
        (
            "pipeline.py",
            "if True:\n    import tf_keras",
            "imports tf_keras, which only compat, train may",
        ),
    ],
)
def test_a_breach_is_found_by_file_and_line(tmp_path, path, source, words):
    file = tmp_path / "nengo_hybrid" / path
    file.parent.mkdir(parents=True)
    file.write_text(f'"""Made up."""\n{source}\n')
    line = 2 + source.count("\n")
    assert breaches(tmp_path / "nengo_hybrid") == [f"{path}:{line}: {words}"]


def test_what_the_rule_allows_is_let_through(tmp_path):
    allowed = {
        "__init__.py": "from nengo_hybrid import compat, pipeline",
        "pipeline.py": """
            from nengo_hybrid import lower, quantize
            from nengo_hybrid.train import Smoothing
            """,
        "train/engine.py": """
            import tensorflow
            from nengo_hybrid.neurons import HybridSpiking
            from .smoothing import Smoothing
            """,
        "lower/loihi.py": "import nengo_loihi\nfrom ..graphs import SpikingGraph",
        "compat/shims.py": "import tf_keras\nfrom nengo_hybrid import exceptions",
        "report/text.py": "import rich\nfrom nengo_hybrid.report.units import si",
    }
    for path, source in allowed.items():
        file = tmp_path / "nengo_hybrid" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(source))
    assert breaches(tmp_path / "nengo_hybrid") == []


def in_a_fresh_interpreter(source):
    """Run Python source in a process of its own, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_importing_the_package_imports_no_training_or_hardware_library():
    loaded = in_a_fresh_interpreter(
        f"""
        import nengo_hybrid, sys
        print(*[name for name in {sorted(KEEPERS)} if name in sys.modules])
        """
    )
    assert loaded == []


def test_every_room_imports_without_tensorflow():
    rooms = in_a_fresh_interpreter(
        """
        import importlib, pkgutil, sys

        class Missing:
            def find_spec(self, name, path=None, target=None):
                if name in ("tensorflow", "tf_keras", "keras", "nengo_dl"):
                    raise ModuleNotFoundError(f"No module named {name!r}")

        sys.meta_path.insert(0, Missing())
        import nengo_hybrid
        for room in pkgutil.iter_modules(nengo_hybrid.__path__, "nengo_hybrid."):
            importlib.import_module(room.name)
            print(room.name.removeprefix("nengo_hybrid."))
        """
    )
    assert {"pipeline", "report", "train"} <= set(rooms)
