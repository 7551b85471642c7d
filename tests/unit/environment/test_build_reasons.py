"""Outputs of uv, backends and git, as they were seen, and the line that is said of each."""

import pytest

from ipcluster_azure.environment.build_reasons import reason

OUTPUTS = {
    "a backend's error": (
        """Building wheel...
Traceback (most recent call last):
  File "backend.py", line 37, in build_wheel
RuntimeError: no compiler here
error: Failed to build `/cache/source`
  cause: The build backend returned an error
  cause: Call to `backend.build_wheel` failed (exit status: 1)

hint: Build failures usually indicate a problem with the package or the build environment
""",
        "RuntimeError: no compiler here",
    ),
    "what was printed before the error comes after it": (
        """Building wheel...
Traceback (most recent call last):
  File "backend.py", line 37, in build_wheel
    raise packaging.version.InvalidVersion(text)
packaging.version.InvalidVersion: Invalid version: 'x'
Compiling: 3 of 9
error: Failed to build `/cache/source`
  cause: The build backend returned an error
  cause: Call to `backend.build_wheel` failed (exit status: 1)
""",
        "packaging.version.InvalidVersion: Invalid version: 'x'",
    ),
    "a compiler's error after a traceback": (
        """Traceback (most recent call last):
ModuleNotFoundError: No module named 'optional'
error: command 'gcc' failed: No such file or directory
error: Failed to build `/cache/source`
  cause: The build backend returned an error
""",
        "error: command 'gcc' failed: No such file or directory",
    ),
    "as uv 0.9 draws it": (
        """Building wheel...
error: command 'gcc' failed: No such file or directory
  \u00d7 Failed to build `/cache/source`
  \u251c\u2500\u25b6 The build backend returned an error
  \u2570\u2500\u25b6 Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)

      hint: This usually indicates a problem with the package or the build environment.
""",
        "error: command 'gcc' failed: No such file or directory",
    ),
    "a backend without a word": (
        """error: Failed to build `/cache/source`
  cause: The build backend returned an error
  cause: Call to `backend.build_wheel` failed (signal: 9)
""",
        "The build backend returned an error: Call to `backend.build_wheel` failed (signal: 9)",
    ),
    "no backend to be had": (
        """Building wheel...
error: Failed to build `/cache/source`
  cause: Failed to resolve requirements from `build-system.requires`
  cause: Because setuptools was not found in the cache and you require
      setuptools>=64, we can conclude that your requirements are unsatisfiable.

hint: Packages were unavailable because the network was disabled.
""",
        "Failed to resolve requirements from `build-system.requires`: Because setuptools was not "
        "found in the cache and you require setuptools>=64, we can conclude that your requirements "
        "are unsatisfiable.",
    ),
    "ssh": (
        """git@127.0.0.1: Permission denied (publickey).
fatal: Could not read from remote repository.

Please make sure you have the correct access rights
and the repository exists.
""",
        "git@127.0.0.1: Permission denied (publickey).",
    ),
    "a commit that is not there": (
        "fatal: reference is not a tree: 0123456789\n",
        "reference is not a tree: 0123456789",
    ),
    "no login": (
        "fatal: could not read Password for 'https://me@h': terminal prompts disabled\n",
        "https://me@h refuses the login that git has for it here, or git has none",
    ),
    "neither": ("one\n\nMemoryError\n\n", "MemoryError"),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("output", "expected"), OUTPUTS.values(), ids=OUTPUTS)
def test_the_reason(output: str, expected: str) -> None:
    assert reason(output) == expected
