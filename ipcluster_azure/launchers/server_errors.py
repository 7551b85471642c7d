"""Our errors, as JupyterLab's cluster panel shows their message.

ipyparallel's server extension lets them through. Of what is no HTTPError, Jupyter's server says
"Unhandled error" to the browser, and keeps the reason for its log.
"""

import sys
from typing import Any

from ..errors import AzureLauncherError

SERVER_EXTENSION = "ipyparallel.nbextension.handlers"  # no other program imports it


class _Message(str):
    """What the panel shows. Older tornados make a format of it, which takes the error's args."""

    def __radd__(self, start: str) -> str:
        return f"{start}%s"

    def __mod__(self, args: object) -> str:
        return str(self)


def for_this_program(error: Exception) -> Exception:
    """Return the error to be raised: in Jupyter's server one that is an HTTPError, too.

    Its class, message, args and attributes are those of the error otherwise.
    """
    if SERVER_EXTENSION not in sys.modules or not isinstance(error, AzureLauncherError):
        return error
    from tornado.web import HTTPError

    kind = type(error)
    body = {
        "log_message": _Message(error),
        "get_message": kind.__str__,
        "__str__": kind.__str__,
        "__module__": kind.__module__,
    }
    shown: Any = type(kind.__name__, (kind, HTTPError), body)
    answer: Exception = shown.__new__(shown, *error.args)
    answer.args = error.args  # an OSError with an __init__ of its own has none so far
    answer.__dict__.update(error.__dict__, status_code=500, reason=None)
    return answer.with_traceback(error.__traceback__)
