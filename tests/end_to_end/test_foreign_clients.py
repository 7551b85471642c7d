"""Clients whose Python or packages aren't the engines', which neither side notices by itself."""

import importlib.metadata
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uv

from .conftest import Profile

CLIENT = """
import json, os
import ipyparallel as ipp
client = ipp.Client({file!r})
client.queue_status()  # a way to the hub and back: outputs are subscribed to by then
view, balanced = client[:], client.load_balanced_view()

def printed(result):
    result.get(timeout=60)
    assert result.wait_for_output(60)  # which may come after the answer
    return result.stdout

def error_of(result):
    try: return "no error: %r" % (result.get(timeout=20),)
    except ipp.error.CompositeError as error: return "; ".join(item[1] for item in error.elist)
    except ipp.error.RemoteError as error: return error.evalue
"""


def program(profile: Profile, code: str) -> str:
    file = profile.folder / "security" / "ipcontroller-client.json"
    return CLIENT.format(file=str(file)) + code


def said_by(profile: Profile, code: str) -> Any:
    """What a client's program prints last, as JSON."""
    return json.loads(profile.python(program(profile, code)).splitlines()[-1])


@contextmanager
def as_if_engines_had(profile: Profile, **environment: Any) -> Iterator[None]:
    """Say on record that the engines' environment is another."""
    record = profile.folder / "security" / "azure-.json"
    before = record.read_text()
    data = json.loads(before)
    for name, value in environment.items():
        known = data["environment"][name]
        data["environment"][name] = {**known, **value} if isinstance(value, dict) else value
    record.write_text(json.dumps(data))
    try:
        yield
    finally:
        record.write_text(before)


def another_python() -> str:
    """Path of a Python of another minor version that ipyparallel runs on; empty if there is none
    where they usually are, or beside this one."""
    for minor in (12, 13, 11, 10):
        if minor == sys.version_info.minor:
            continue
        beside = Path(sys.base_prefix).parent.glob(f"*3.{minor}*/bin/python3.{minor}")
        for path in [*map(str, beside), shutil.which(f"python3.{minor}")]:
            if path and not subprocess.run([path, "-c", ""], capture_output=True).returncode:
                return path
    return ""


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter of another minor version with ipyparallel."""
    if not (base := another_python()):
        pytest.skip("there is no Python of another minor version here")
    folder = tmp_path_factory.mktemp("foreign")
    python = str(folder / "bin" / "python")
    for words in (
        ["venv", "--quiet", "--python", base, str(folder)],
        ["pip", "install", "--quiet", "--python", python, "ipyparallel"],
    ):
        subprocess.run([uv.find_uv_bin(), *words], check=True)
    return python


SENDS_FUNCTIONS = """
before = client.ids
answers = [
    view.apply_async(os.getpid),
    view.map_async(lambda x: x, range(4)),
    balanced.apply_async(lambda: 1),
    balanced.map_async(lambda x: x, range(4)),
    client.broadcast_view().apply_async(lambda: 1),
    view.push({"a": b"x" * 3_000_000}, block=False),
]
errors = [error_of(answer) for answer in answers]
text = printed(view.execute("b = 1 + 1; print(b)", block=False))
print(json.dumps([errors, text, before == client.ids]))
"""


def test_functions_of_another_python_are_refused_and_the_engines_live(
    running: Profile, foreign: str
) -> None:
    ids = running.engine_ids()
    code = program(running, SENDS_FUNCTIONS)
    done = subprocess.run(
        [foreign, "-W", "ignore", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    errors, text, same = json.loads(done.stdout.splitlines()[-1])
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    for error in errors:
        assert f"The engines run Python {ours}, and this is Python 3." in error
    assert len(errors) == 6
    assert text == ["2\n", "2\n"]  # text has no bytecode
    assert same
    assert running.engine_ids() == ids


FAILS = """
def raise_(kind, text):
    raise getattr(__import__("builtins"), kind)(text)

first = view.execute("print('printed')", block=False)
out = printed(first)
errors = [
    error_of(view.apply_async(raise_, kind, "of a test"))
    for kind in ("AttributeError", "ImportError", "ValueError")
]
errors.append(error_of(view.execute("no_such_name.attribute = None.none", block=False)))
later = view.execute("print('printed')", block=False)
printed(later)
print(json.dumps([out, first.stderr, later.stderr, errors]))
"""


def test_other_packages_are_told_with_the_first_request_and_with_errors_that_may_be_theirs(
    running: Profile,
) -> None:
    with as_if_engines_had(running, packages={"numpy": "1.2.3", "cloudpickle": "0.1"}):
        stdout, stderr, later, errors = said_by(running, FAILS)
    numpy = importlib.metadata.version("numpy")
    line = f"This client's packages differ from the engines': numpy {numpy} here, 1.2.3 there"
    assert stdout == ["printed\n"] * 2
    assert [item.startswith(line) for item in stderr] == [True, False]  # once, not for each engine
    assert later == ["", ""]
    assert [line in error for error in errors] == [True, True, False, True]


def test_a_client_with_the_same_packages_hears_nothing(running: Profile) -> None:
    stdout, stderr, later, errors = said_by(running, FAILS)
    assert (stdout, stderr, later) == (["printed\n"] * 2, ["", ""], ["", ""])
    assert not any("differ" in error for error in errors)


CONNECTS = """
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    cluster = ipp.Cluster.from_file(profile={name!r}, cluster_id="")
    cluster.connect_client_sync().close()
print(json.dumps([str(item.message) for item in caught if "differ" in str(item.message)]))
"""


def test_a_cluster_object_warns_as_it_connects(running: Profile) -> None:
    code = CONNECTS.format(name=running.name)
    assert said_by(running, code) == []
    with as_if_engines_had(running, packages={"numpy": "1.2.3"}):
        (said,) = said_by(running, code)
    assert "1.2.3 there" in said


def test_the_link_notes_what_differs_in_its_log(running: Profile) -> None:
    with as_if_engines_had(running, packages={"numpy": "1.2.3"}):
        said_by(running, "view.apply_sync(os.getpid); print(1)")
    log = (running.folder / "log" / "azure--link.log").read_text()
    assert "1.2.3 there" in log
