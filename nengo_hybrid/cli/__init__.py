"""The command line: ``nengo-hybrid``."""

import click

from nengo_hybrid.cli import bench, commands, doctor, emulate, targets, train
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
    doctor.doctor,
    commands.report,
    emulate.emulate,
    targets.targets,
    train.train,
):
    main.add_command(command)
