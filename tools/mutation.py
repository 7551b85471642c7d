"""Breaks the modules that delete and remember, one place at a time: does a test turn red?

    make mutation                       all of them, in about an hour
    python tools/mutation.py record     one module

cosmic-ray changes a copy of the project in a temporary folder, and runs the module's fast tests on
each change. Those that no test noticed are printed as patches.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = {
    "record": "tests/unit/test_record.py",
    "record_file": "tests/unit/test_record.py",
    "provision": "tests/unit/test_provision.py",
    "teardown": "tests/unit/test_teardown.py",
    "deletion": "tests/unit/test_deletion.py",
}
CONFIG = """
[cosmic-ray]
module-path = "ipcluster_azure/{module}.py"
timeout = 60.0
test-command = "{python} -m pytest -x -q -p no:cacheprovider --timeout=30 {tests}"

[cosmic-ray.distributor]
name = "local"
"""
LEAST_KILLED = 0.8


def survivors(module: str, folder: Path) -> tuple[int, list[str]]:
    """How many changes were made, and those that no test noticed."""
    config, session = folder / f"{module}.toml", folder / f"{module}.sqlite"
    text = CONFIG.format(module=module, python=sys.executable, tests=TESTS[module])
    config.write_text(text, encoding="utf-8")
    ray = Path(sys.executable).with_name("cosmic-ray")
    # baseline: without any change the tests are green, else each change would seem to be noticed
    for command in (["baseline", config], ["init", config, session], ["exec", config, session]):
        subprocess.run([ray, *command], cwd=folder, env=environment(folder), check=True)
    dump = [ray.with_name("cr-report"), "--show-pending", "--show-diff", session]
    report = subprocess.run(dump, cwd=folder, capture_output=True, text=True, check=True).stdout
    found = [f"[job-id]{part}" for part in report.split("[job-id]")[1:]]
    return len(found), [part for part in found if "TestOutcome.SURVIVED" in part]


def environment(folder: Path) -> dict[str, str]:
    """That of cosmic-ray: the copy is what is imported."""
    return {**os.environ, "PYTHONPATH": str(folder)}


def copy_of_project(folder: Path) -> None:
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)


def main(modules: list[str]) -> int:
    """1 if more than a fifth of the changes of all modules was not noticed."""
    changes = unnoticed = 0
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        copy_of_project(Path(name))
        for module in modules:
            count, alive = survivors(module, Path(name))
            print("\n".join(alive))
            print(f"{module}: {count - len(alive)} of {count} changes were noticed", flush=True)
            changes, unnoticed = changes + count, unnoticed + len(alive)
    noticed = 1 - unnoticed / max(1, changes)
    print(f"{noticed:.0%} of {changes} changes were noticed; at least {LEAST_KILLED:.0%} must be")
    return 0 if noticed >= LEAST_KILLED else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(TESTS)))
