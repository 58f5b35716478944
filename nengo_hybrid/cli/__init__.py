"""The command line: ``nengo-hybrid``."""

import click

from nengo_hybrid.cli import (
    bench,
    board,
    commands,
    completion,
    deploy,
    doctor,
    emulate,
    estimate,
    schema,
    targets,
    train,
)
from nengo_hybrid.cli.status import PROGRAM, Commands
from nengo_hybrid.version import version


@click.group(cls=Commands)
@click.version_option(version, prog_name=PROGRAM)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug):
    """
    Build, train, deploy and price hybrid-spiking networks for Loihi.

    \b
    nengo-hybrid train digits --out run
    nengo-hybrid deploy run --target loihi1
    nengo-hybrid emulate run/loihi1.zip
    nengo-hybrid estimate run/loihi1.zip
    nengo-hybrid report run/loihi1.zip --html run/report.html
    """


# In the order in which they are used.
for command in (
    commands.demo,
    train.train,
    deploy.deploy,
    emulate.emulate,
    estimate.estimate,
    commands.report,
    board.board,
    doctor.doctor,
    targets.targets,
    bench.bench,
    schema.schema,
    completion.completion,
):
    main.add_command(command)
