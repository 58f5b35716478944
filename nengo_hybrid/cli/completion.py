"""The command ``completion``: what makes a shell complete the others."""

import click
from click.shell_completion import get_completion_class

from nengo_hybrid.cli.status import PROGRAM

SHELLS = ("bash", "zsh", "fish")
# The variable through which click is asked, named as click names it.
VARIABLE = "_NENGO_HYBRID_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context, shell):
    """
    Print the script that makes a shell complete commands, options and targets.

    \b
    eval "$(nengo-hybrid completion bash)"       # in ~/.bashrc
    eval "$(nengo-hybrid completion zsh)"        # in ~/.zshrc
    nengo-hybrid completion fish | source        # in config.fish
    """
    kind = get_completion_class(shell)
    click.echo(kind(context.find_root().command, {}, PROGRAM, VARIABLE).source())
