"""The errors that this project raises on purpose: all have one base class."""


class ProjectError(Exception):
    """Whatever this project raises on purpose."""


class Interrupted(ProjectError):
    """Ctrl-C, after the results so far were saved; the message says where."""


class UserError(ProjectError):
    """A mistake that the user can correct.

    The message gives the value, what is allowed and what to do. Commands print it without a traceback and exit with
    status 2.
    """
