"""The one exception for what a user can mend."""


class InputError(Exception):
    """What the user gave cannot be used.

    The message names the file, says what is wrong with it and what to do about it. The command
    line prints it as one line and exits with status 1; a stack trace means a bug of ours.
    """
