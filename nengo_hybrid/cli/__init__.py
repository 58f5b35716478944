"""The command line: ``nengo-hybrid``."""

import click

from nengo_hybrid.cli import (
    bench,
    commands,
    deploy,
    doctor,
    emulate,
    estimate,
    targets,
    train,
)
from nengo_hybrid.cli.status import Commands
from nengo_hybrid.version import version


@click.group(cls=Commands)
@click.version_option(version, prog_name="nengo-hybrid")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug):
    """Build, train, deploy and price hybrid-spiking networks for Loihi."""


for command in (
    bench.bench,
    commands.demo,
    deploy.deploy,
    doctor.doctor,
    commands.report,
    emulate.emulate,
    estimate.estimate,
    targets.targets,
    train.train,
):
    main.add_command(command)
