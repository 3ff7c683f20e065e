"""How a command ends: 0 well, 2 after a user's mistake, 130 after Ctrl-C."""

import os
import sys
from collections.abc import Callable

from mlp_spec.support.errors import UserError


class Interrupted(Exception):
    """Ctrl-C, after everything worth keeping was kept; the message says where it is."""


def run(command: Callable[[], int | None]) -> int:
    """Runs a command and returns its exit status; a user's mistake is told without a traceback."""
    try:
        status = command() or 0
        sys.stdout.flush()  # a reader that went away shows here, and not when Python ends
        return status
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Interrupted as interruption:
        print(f"\nInterrupted. {interruption}", file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        print("\nInterrupted. Nothing had been finished.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output went away, as in `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
