"""The group of commands: what it offers, and what it costs to start."""

from nengo_hybrid.version import version


def test_version(run):
    result = run("--version")
    assert result.exit_code == 0
    assert result.stdout == f"nengo-hybrid, version {version}\n"


def test_help_names_the_commands(run):
    result = run("--help")
    assert result.exit_code == 0
    for name in ("demo", "targets", "report"):
        assert f"\n  {name} " in result.stdout


def test_doctor_runs_where_nengo_and_nengo_loihi_are_missing(in_a_process_of_its_own):
    done = in_a_process_of_its_own(
        """
        import sys

        class Missing:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in ("nengo", "nengo_loihi", "tensorflow"):
                    raise ModuleNotFoundError(f"No module named {name!r}")

        sys.meta_path.insert(0, Missing())
        from nengo_hybrid.cli import main
        main(["doctor"])
        """
    )
    assert "Traceback" not in done.stderr
    assert "nengo-loihi" in done.stdout
    assert "nengo-dl" in done.stdout


def test_the_commands_start_without_what_they_run(in_a_process_of_its_own):
    done = in_a_process_of_its_own(
        """
        import sys
        import nengo_hybrid.cli
        heavy = {"nengo", "nengo_loihi", "numba", "scipy", "tensorflow", "matplotlib"}
        print(sorted(heavy & set(sys.modules)))
        """
    )
    assert (done.returncode, done.stdout) == (0, "[]\n")
