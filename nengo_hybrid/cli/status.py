"""How every command ends: its exit status, and its errors as one line."""

import contextlib
import sys

import click

from nengo_hybrid.exceptions import DivergenceError, EmulateError, HybridError

PROGRAM = "nengo-hybrid"
FAILED, WRONG_INPUT, INTERRUPTED = 1, 2, 130
# Since 8.2, click takes it for wrong usage if no command is named, and shows its help.
HELP_ASKED = getattr(click.exceptions, "NoArgsIsHelpError", ())


class Commands(click.Group):
    """Report errors of the package, and wrong usage, as one line; pick the status."""

    def list_commands(self, context):
        """List the commands in the order in which they were added."""
        return list(self.commands)

    def make_context(self, info_name, args, parent=None, **extra):
        with wrong_usage_as_line():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, context):
        try:
            with wrong_usage_as_line(context), interrupt_as_status():
                return super().invoke(context)
        except HybridError as error:
            if context.params.get("debug"):
                raise
            click.echo(f"{PROGRAM}: {kind_of(error)}: {error}", err=True)
            failed = isinstance(error, (DivergenceError, EmulateError))
            sys.exit(FAILED if failed else WRONG_INPUT)


def kind_of(error):
    """Name the error of the package's own that this is, where a room refined it."""
    kinds = type(error).__mro__
    return next(k.__name__ for k in kinds if k.__module__ == HybridError.__module__)


@contextlib.contextmanager
def wrong_usage_as_line(context=None):
    """End with one line and a status where click would write several."""
    try:
        yield
    except HELP_ASKED:
        raise
    except click.UsageError as error:
        words = " ".join(error.format_message().split()).removesuffix(".")
        command = None if context is None else context.invoked_subcommand
        place = " ".join(filter(None, [PROGRAM, command, "--help"]))
        joint = " See" if words.endswith(("?", "?)")) else "; see"
        click.echo(f"{PROGRAM}: {words}{joint} {place}", err=True)
        sys.exit(WRONG_INPUT)


@contextlib.contextmanager
def interrupt_as_status():
    """End with the status of an interrupt, where click would make it a failure."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
