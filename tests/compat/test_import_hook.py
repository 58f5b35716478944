"""The hook, on a library made up for each test; numpy stands for what is installed."""

import importlib
import importlib.util
import inspect
import pickle
import sys

import pytest

from nengo_hybrid import compat
from nengo_hybrid.compat.imports import (
    ShimFinder,
    ShimLoader,
    find_finder,
    follow,
    install_finder,
)
from nengo_hybrid.compat.shim import AFTER, AT_ONCE, BEFORE, Shim

SOURCE = """
seen = list(globals().get("marks", []))

def answer():
    return 42
"""


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Put a module ``upstream`` on the path, and take every finder of ours away."""
    (tmp_path / "upstream.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    others = [f for f in sys.meta_path if not isinstance(f, ShimFinder)]
    monkeypatch.setattr(sys, "meta_path", others)
    yield "upstream"
    sys.modules.pop("upstream", None)
    sys.modules.pop("follower", None)


def make_shim(apply, runs=AFTER, library="numpy", needed=True):
    return Shim(
        name="mend",
        library=library,
        module="upstream",
        defect="made up",
        link="https://github.com/",
        goes_when="never",
        condition=lambda: needed,
        apply=apply,
        runs=runs,
    )


def mark(module):
    module.marks = [*getattr(module, "marks", []), "mended"]
    return True


def test_a_shim_before_is_seen_by_the_code_of_the_module(library):
    shim = make_shim(mark, runs=BEFORE)
    finder = install_finder([shim])
    assert finder.state(shim) == "waiting"
    assert importlib.import_module(library).seen == ["mended"]
    assert finder.state(shim) == "applied"


def test_a_shim_after_finds_the_module_complete(library):
    def mend(module):
        module.answer_then = module.answer()
        return True

    install_finder([make_shim(mend)])
    module = importlib.import_module(library)
    assert module.seen == []
    assert module.answer_then == 42


def test_a_shim_that_mended_nothing_is_not_called_applied(library):
    shim = make_shim(lambda module: False)
    finder = install_finder([shim])
    importlib.import_module(library)
    assert finder.state(shim) == "too late"


@pytest.mark.parametrize(
    "keywords, state",
    [({"needed": False}, "not needed"), ({"library": "no-such"}, "not installed")],
)
def test_what_is_not_needed_touches_nothing(library, keywords, state):
    shim = make_shim(pytest.fail, **keywords)
    finder = install_finder([shim])
    assert not isinstance(importlib.util.find_spec(library).loader, ShimLoader)
    importlib.import_module(library)
    assert finder.state(shim) == state


def test_a_module_imported_before_is_mended_at_once(library):
    module = importlib.import_module(library)
    shim = make_shim(mark)
    assert install_finder([shim]).state(shim) == "applied"
    assert module.marks == ["mended"]


def test_a_module_imported_before_is_too_late_for_a_shim_before_it(library):
    importlib.import_module(library)
    shim = make_shim(pytest.fail, runs=BEFORE)
    assert install_finder([shim]).state(shim) == "too late"


def test_a_shim_at_once_does_not_wait_and_comes_before_the_import(library):
    calls = []
    shim = make_shim(lambda module: calls.append(module) or True, runs=AT_ONCE)
    assert install_finder([shim]).state(shim) == "applied"
    importlib.import_module(library)
    install_finder([shim])
    assert calls == [None]


def test_an_error_before_stops_the_import(library):
    def refuse(module):
        raise RuntimeError("not like this")

    install_finder([make_shim(refuse, runs=BEFORE)])
    with pytest.raises(RuntimeError, match="^not like this$"):
        importlib.import_module(library)
    assert library not in sys.modules


def test_the_module_keeps_its_own_loader(library):
    install_finder([make_shim(mark)])
    module = importlib.import_module(library)
    assert module.__spec__.loader is module.__loader__
    assert not isinstance(module.__loader__, ShimLoader)
    assert inspect.getsource(module.answer).startswith("def answer")
    assert pickle.loads(pickle.dumps(module.answer)) is module.answer


def test_reload_applies_the_shim_anew(library):
    install_finder([make_shim(mark, runs=BEFORE)])
    module = importlib.import_module(library)
    del module.marks
    assert importlib.reload(module).seen == ["mended"]
    assert not isinstance(module.__loader__, ShimLoader)


def test_find_spec_tells_what_it_tells_without_a_shim(library):
    plain = importlib.util.find_spec(library)
    install_finder([make_shim(mark)])
    spec = importlib.util.find_spec(library)
    assert (spec.name, spec.origin) == (plain.name, plain.origin)
    assert spec.loader.get_source(library) == SOURCE
    assert library not in sys.modules
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.marks == ["mended"]


def test_a_module_that_is_not_there_is_still_not_there(library, tmp_path):
    install_finder([make_shim(mark)])
    (tmp_path / "upstream.py").unlink()
    importlib.invalidate_caches()
    with pytest.raises(ModuleNotFoundError, match="^No module named 'upstream'$"):
        importlib.import_module(library)


def test_a_second_install_keeps_one_finder_and_puts_it_first(library):
    first = install_finder([make_shim(mark)])
    sys.meta_path.insert(0, object())
    assert install_finder([make_shim(mark)]) is first
    assert sys.meta_path[0] is first
    assert sum(isinstance(f, ShimFinder) for f in sys.meta_path) == 1


def test_a_follower_is_imported_after_its_module(library, tmp_path):
    (tmp_path / "follower.py").write_text("import upstream\nfound = upstream.answer()")
    install_finder([])
    follow(library, "follower")
    follow(library, "follower")
    assert "follower" not in sys.modules
    importlib.import_module(library)
    assert sys.modules["follower"].found == 42


def test_a_follower_of_what_is_imported_comes_at_once(library, tmp_path):
    (tmp_path / "follower.py").write_text("")
    importlib.import_module(library)
    install_finder([])
    follow(library, "follower")
    assert "follower" in sys.modules


def test_the_package_installs_one_finder():
    before = find_finder()
    compat.install()
    assert find_finder() is before
