"""What an engine adds to its answer when a task fails for a module that the machine doesn't have.

Python's own words come from deep inside ipyparallel and say nothing of what to do. An import hook
would change what code that looks for optional modules sees, so only the finished answer is changed.
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
import re
from collections.abc import Callable
from typing import Any

MISSING = re.compile(r"No module named '([^'.]+)")


def explain_missing_modules(kernel: Any) -> None:
    """Let the engine's answers to `apply` and `execute` say which module is missing on the engines.

    ipyparallel's client shows an answer's text and traceback: both get a line more.
    """

    def explaining(run: Callable[..., Any]) -> Callable[..., Any]:
        async def await_and_explain(answer: Any) -> Any:
            return explained(await answer)

        @functools.wraps(run)  # ipykernel looks at the parameters of do_execute
        def run_and_explain(*args: Any, **kwargs: Any) -> Any:
            answer = run(*args, **kwargs)
            if inspect.isawaitable(answer):
                return await_and_explain(answer)
            return explained(answer)

        return run_and_explain

    for name in ("do_apply", "do_execute"):
        setattr(kernel, name, explaining(getattr(kernel, name)))


def explained(answer: Any) -> Any:
    """Add to an answer, if it says that a module is missing, what can be done; return it.

    An answer is the content of a reply, or of an `apply` a pair of that and the result's buffers.
    """
    content = answer[0] if isinstance(answer, tuple) else answer
    if content.get("ename") == "ModuleNotFoundError":
        found = MISSING.search(str(content.get("evalue")))
        if found and not _is_there(found[1]):
            text = hint(found[1])
            content["evalue"] = f"{content['evalue']}. {text}"
            content["traceback"] = [*content.get("traceback", []), text]
    return answer


def _is_there(name: str) -> bool:
    """Return whether a top-level module can be imported; if so, only a part of it is missing."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # a module in sys.modules that was made by hand has no spec
        return True


def hint(name: str) -> str:
    return (
        f"The engines don't have {name}. If a package brings it, add that to "
        "c.AzureVMLauncher.requirements in ipcluster_config.py, then stop the cluster and start it "
        "again; with python_environment = 'image' it must be on the image. If it is a file of "
        'yours, see "Your own code" in docs/how-to/packages.md.'
    )
