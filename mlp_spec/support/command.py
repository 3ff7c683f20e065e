"""Runs commands with exit status 0 on success, 2 after a user's mistake and 130 after Ctrl-C."""

import os
import sys
from collections.abc import Callable

from mlp_spec.support.errors import Interrupted, UserError


def run(command: Callable[[], int | None]) -> int:
    """Runs a command and returns its exit status; a user's mistake is printed without a traceback."""
    try:
        status = command() or 0
        sys.stdout.flush()  # raises BrokenPipeError here rather than at Python's exit
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
    except BrokenPipeError:  # the reader of the output closed it, as in `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
