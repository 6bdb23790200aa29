"""The one exception for what a user can correct."""


class InputError(Exception):
    """An input cannot be used.

    The message names the file, what is wrong with it and what to do about it. The command line
    prints it as one line and exits with status 1.
    """


class InputWarning(UserWarning):
    """Something that the user gave is used, but not all of it, or not as it may have been meant.

    The command line prints it as one line.
    """
