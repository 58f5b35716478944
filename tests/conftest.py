"""What all tests share."""

from hypothesis import settings

# First, so that NengoDL and NengoLoihi can be imported by any test.
import nengo_hybrid  # noqa: F401

# Speed is measured in benchmarks; a busy machine is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_addoption(parser):
    # Here, because an option has to be known before tests are looked for.
    parser.addoption(
        "--screenshots",
        metavar="FOLDER",
        help="keep the pictures that tests/report/test_browser.py takes of a report",
    )
