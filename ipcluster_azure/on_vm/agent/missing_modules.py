"""What an engine adds to its answer when a task fails for a module that the machine doesn't have.

Python's own words come from deep inside ipyparallel and say nothing of what to do. An import hook
would change what code that looks for optional modules sees, so only the finished answer is changed.
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
import opcode
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

RAISE = opcode.opmap["RAISE_VARARGS"]
# what the machines were given, as engine.json says -> what they have then, and what to type
ADVICE = {
    "minimal": (
        "python_environment = 'minimal' gives them ipyparallel, numpy and requirements alone. Name "
        "the package in c.AzureVMLauncher.requirements, or set python_environment = 'sync'; then "
        "run `ipcluster-azure sync`."
    ),
    "image": (
        "with python_environment = 'image' they have what is on the image. Install it there, or "
        "set c.AzureVMLauncher.python_environment = 'sync'; then start the cluster anew."
    ),
    "lock": (
        "they have what c.AzureVMLauncher.python_lock names. Add it there, or to "
        "c.AzureVMLauncher.requirements, then run `ipcluster-azure sync`."
    ),
}
SYNCED = (
    "it was not in the environment that they were given. Install it here and run "
    "`ipcluster-azure sync`, or name it in c.AzureVMLauncher.requirements; a module of your own "
    "must be in the working directory or in c.AzureVMLauncher.sync_paths, and neither may be in "
    "sync_exclude."
)


def explain_missing_modules(kernel: Any, given: str) -> None:
    """Let the engine's answers to `apply` and `execute` say which module is missing on the engines.

    ipyparallel's client shows an answer's text and traceback: both get a line more. `given` is the
    kind of environment that the machine has been given; see ADVICE.
    """

    def explaining(run: Callable[..., Any]) -> Callable[..., Any]:
        async def await_and_explain(answer: Any) -> Any:
            return explained(await answer, given)

        @functools.wraps(run)  # ipykernel looks at the parameters of do_execute
        def run_and_explain(*args: Any, **kwargs: Any) -> Any:
            answer = run(*args, **kwargs)
            if inspect.isawaitable(answer):
                return await_and_explain(answer)
            return explained(answer, given)

        return run_and_explain

    for name in ("do_apply", "do_execute"):
        setattr(kernel, name, explaining(getattr(kernel, name)))


def explained(answer: Any, given: str) -> Any:
    """Add to an answer, if it says that a module is missing, what can be done; return it.

    An answer is the content of a reply, or of an `apply` a pair of that and the result's buffers.
    """
    content = answer[0] if isinstance(answer, tuple) else answer
    if content.get("ename") == "ModuleNotFoundError":
        # where IPython leaves what it has shown; a subclass, or another task's, is not meant
        error = getattr(sys, "last_value", None)
        shown = isinstance(error, ModuleNotFoundError) and str(error) == content.get("evalue")
        if shown and (name := missing_module(error)):
            text = hint(name, given)
            content["evalue"] = f"{content['evalue']}. {text}"
            content["traceback"] = [*content.get("traceback", []), text]
    return answer


def missing_module(error: Any) -> str:
    """Return the top-level module that an import looked for in vain.

    Empty if it is there, so that only a part of it is missing, or if code that runs has raised this
    by itself, for reasons of its own.
    """
    name = str(error.name or "").partition(".")[0]
    if not name or _is_raised_by_hand(error.__traceback__):
        return ""
    try:
        return "" if importlib.util.find_spec(name) is not None else name
    except (ImportError, ValueError):  # a module in sys.modules that was made by hand has no spec
        return ""


def _is_raised_by_hand(trace: TracebackType | None) -> bool:
    """Return whether it was a `raise` outside of the import system that an error came from."""
    if trace is None:
        return True
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    in_import = code.co_filename.startswith("<frozen importlib")
    return code.co_code[trace.tb_lasti] == RAISE and not in_import


def hint(name: str, given: str) -> str:
    """Return what to do about a module that machines of this kind of environment don't have."""
    more = "See docs/how-to/packages.md."
    return f"The engines don't have {name}: {ADVICE.get(given, SYNCED)} {more}"
