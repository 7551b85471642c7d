"""Breaks modules that plan, delete and remember, one place at a time: does a test turn red?

    make mutation                               all of them, in about two hours
    python tools/mutation.py record/contents    one module

In a copy of the project in a temporary folder cosmic-ray changes one thing after the other, then
one statement after the other is left out, which cosmic-ray doesn't do; each time the module's fast
tests run. What no test noticed is printed.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLANNED = "tests/unit/plan tests/unit/settings"
TESTS = {
    "settings/values": "tests/unit/settings tests/docs/test_settings_page.py",
    "settings/value_checks": "tests/unit/settings",
    "settings/traits": "tests/unit/settings tests/docs/test_settings_page.py",
    "settings/string_checks": "tests/unit/settings",
    "plan/cluster_plan": PLANNED,
    "plan/quota": "tests/unit/plan",
    "plan/arm_template": PLANNED,
    "plan/network": PLANNED,
    "plan/template_language": PLANNED,
    "plan/machine_properties": PLANNED,
    "plan/requests": PLANNED,
    "plan/vm_sizes": "tests/unit/plan",
    "plan/self_start": "tests/unit/plan/test_self_start.py",
    "record/contents": "tests/unit/record",
    "record/file": "tests/unit/record",
    "record/environment": "tests/unit/record",
    "private_files": "tests/unit/test_private_files.py",
    "start/provision": "tests/unit/start/test_provision.py",
    "start/created": "tests/unit/start/test_created.py",
    "stop/teardown": "tests/unit/stop",
    "stop/engine_set": "tests/unit/stop/test_engine_sets.py tests/unit/stop/test_teardown.py",
    "stop/deletion": "tests/unit/stop/test_deletion.py",
}
CONFIG = """
[cosmic-ray]
module-path = "ipcluster_azure/{module}.py"
timeout = {limit_s}
test-command = "{python} -m pytest -x -q -p no:cacheprovider --timeout=30 {tests}"

[cosmic-ray.distributor]
name = "local"
"""
LEAST_KILLED = 0.9
LEAST_LIMIT_S = 60.0
ASSIGNMENTS = (ast.Assign, ast.AugAssign, ast.AnnAssign)
STATEMENTS = (ast.Expr, ast.Delete, ast.Return, ast.Raise, ast.Continue, ast.Break, *ASSIGNMENTS)


def unnoticed_changes(module: str, folder: Path, limit_s: float) -> tuple[int, list[str]]:
    """How many changes were made, and those that no test noticed."""
    base = folder / module.replace("/", "-")
    config, session = base.with_suffix(".toml"), base.with_suffix(".sqlite")
    given = {"python": sys.executable, "tests": TESTS[module], "limit_s": limit_s}
    text = CONFIG.format(module=module, **given)
    config.write_text(text, encoding="utf-8")
    ray = Path(sys.executable).with_name("cosmic-ray")
    for command in (["init", config, session], ["exec", config, session]):
        subprocess.run([ray, *command], cwd=folder, env=environment(folder), check=True)
    dump = [ray.with_name("cr-report"), "--show-pending", "--show-diff", session]
    report = subprocess.run(dump, cwd=folder, capture_output=True, text=True, check=True).stdout
    found = [f"[job-id]{part}" for part in report.split("[job-id]")[1:]]
    return len(found), [part for part in found if "TestOutcome.SURVIVED" in part]


def unnoticed_removals(module: str, folder: Path, limit_s: float) -> tuple[int, list[str]]:
    """How many statements were left out, and those that no test missed."""
    path = folder / "ipcluster_azure" / f"{module}.py"
    source = path.read_text(encoding="utf-8")
    lines, found = source.splitlines(keepends=True), []
    spots = removable(source)
    for first, last, column in spots:
        path.write_text(
            "".join([*lines[: first - 1], f"{' ' * column}pass\n", *lines[last:]]),
            encoding="utf-8",
        )
        if is_green(module, folder, limit_s):
            found.append(f"{path.name}:{first}: {''.join(lines[first - 1 : last]).strip()}")
    path.write_text(source, encoding="utf-8")
    return len(spots), found


def removable(source: str) -> list[tuple[int, int, int]]:
    """First and last line and column of each simple statement of a function, no docstrings."""
    functions = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    return sorted(
        {
            (node.lineno, node.end_lineno or node.lineno, node.col_offset)
            for function in functions
            for node in ast.walk(function)
            if isinstance(node, STATEMENTS)
            and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        }
    )


def time_limit_s(module: str, folder: Path) -> float:
    """Return after how many seconds a change counts as noticed, since the tests hang.

    On a busy computer they are slow without any change; if they are red, each would seem noticed.
    """
    started = time.monotonic()
    if not is_green(module, folder, None):
        sys.exit(f"{module}: {TESTS[module]} are red without any change")
    return max(LEAST_LIMIT_S, 5 * (time.monotonic() - started))


def is_green(module: str, folder: Path, limit_s: float | None) -> bool:
    options = ["-x", "-q", "-p", "no:cacheprovider", "--timeout=30"]
    try:
        run = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *TESTS[module].split()],
            cwd=folder,
            env={**environment(folder), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            timeout=limit_s,
        )
    except subprocess.TimeoutExpired:
        return False
    return run.returncode == 0


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
    """Return the exit status: 1 if more than a tenth of what was broken was not noticed."""
    total = total_unnoticed = 0
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        copy_of_project(Path(name))
        for module in modules:
            limit_s = time_limit_s(module, Path(name))
            for kind, breaking in (
                ("changes", unnoticed_changes),
                ("removals", unnoticed_removals),
            ):
                count, unnoticed = breaking(module, Path(name), limit_s)
                print("\n".join(unnoticed))
                print(
                    f"{module}: {count - len(unnoticed)} of {count} {kind} were noticed", flush=True
                )
                total, total_unnoticed = total + count, total_unnoticed + len(unnoticed)
    noticed = 1 - total_unnoticed / max(1, total)
    print(f"{noticed:.0%} of {total} were noticed; at least {LEAST_KILLED:.0%} must be")
    return 0 if noticed >= LEAST_KILLED else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(TESTS)))
