"""The exception for a user's mistake."""


class UserError(Exception):
    """A mistake that the user can correct.

    The message gives the value, what is allowed and what to do. Commands print it without a traceback and exit with
    status 2.
    """
