"""The one exception for a user's mistake."""


class UserError(Exception):
    """A mistake the user can mend.

    The message says what was given, what is allowed and what to do. Commands print it without a
    traceback and end with exit status 2.
    """
