"""Which faults of a configuration are certain, and how they are told."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq
from ipykernel.kernelapp import IPKernelApp
from ipyparallel.controller.app import IPController
from ipyparallel.engine.app import IPEngine
from traitlets.config import Config
from traitlets.config.loader import DeferredConfigString

from ipcluster_azure.start.trial_faults import judged
from ipcluster_azure.start.trial_names import classes_of, faults


def _raised_in(file: Path, code: str) -> BaseException:
    file.write_text(code)
    try:
        exec(compile(code, str(file), "exec"), {})  # noqa: S102
    except BaseException as error:
        return error
    raise AssertionError(code)


@pytest.mark.parametrize(
    ("code", "text", "certain"),
    [
        ("\nx = 1 / 0\n", "x_config.py, line 2: ZeroDivisionError: division by zero", True),
        ("x = = 1\n", "x_config.py, line 1: SyntaxError: invalid syntax", True),
        (
            "import sys\nsys.exit(4)\n",
            "x_config.py, line 2: it ends right away, with status 4",
            True,
        ),
        (
            "import nosuch.part\n",
            "x_config.py, line 1: ModuleNotFoundError: No module named 'nosuch'",
            False,
        ),
        (
            "import ipyparallel.nosuch\n",
            "x_config.py, line 1: ModuleNotFoundError: No module named 'ipyparallel.nosuch'",
            True,
        ),
        (
            "from IPython.parallel import Client\n",
            "x_config.py, line 1: ModuleNotFoundError: No module named 'IPython.parallel'",
            True,
        ),
        (
            "from os import nosuch\n",
            "x_config.py, line 1: ImportError: cannot import name 'nosuch' from 'os' (",
            True,
        ),
        (
            "open('/no/such/file')\n",
            "x_config.py, line 1: FileNotFoundError: [Errno 2] No such file or directory: '/no",
            False,
        ),
        ("raise ValueError('a\\nb')\n", "x_config.py, line 1: ValueError: a", True),
    ],
)
def test_what_a_configuration_raises(tmp_path: Path, code: str, text: str, certain: bool) -> None:
    found = judged(_raised_in(tmp_path / "x_config.py", code), str(tmp_path))
    assert found.text.startswith(text)
    assert found.certain is certain


@pytest.mark.parametrize("number", [errno.EADDRINUSE, errno.EADDRNOTAVAIL])
def test_an_address_of_another_machine_is_no_mistake(number: int) -> None:
    found = judged(zmq.ZMQError(number), "/nowhere")
    assert not found.certain
    assert found.text.startswith("ZMQError: ")


def _controller() -> dict[str, type[Any]]:
    return classes_of(IPController(), ())


def _engine() -> dict[str, type[Any]]:
    return classes_of(IPEngine(), (IPKernelApp, *IPKernelApp.classes))


@pytest.mark.parametrize(
    ("kinds", "section", "values", "said"),
    [
        (
            _controller,
            "IPController",
            {"reuse_filez": 1},
            "is not a setting (did you mean reuse_fi",
        ),
        (_controller, "IPController", {"qqq": 1}, "c.IPController.qqq is not a setting"),
        (
            _controller,
            "IPControler",
            {"ip": ""},
            "no c.IPControler to configure (did you mean c.IPC",
        ),
        (
            _controller,
            "TaskScheduler",
            {"hwm": "x"},
            "TaskScheduler.hwm must be a whole number, not",
        ),
        (
            _controller,
            "HeartMonitor",
            {"period": None},
            "HeartMonitor.period must be a whole number",
        ),
        (_controller, "Session", {"packer": 3}, "Session.packer must be"),
        (
            _engine,
            "IPEngine",
            {"timeout": DeferredConfigString("x")},
            "IPEngine.timeout must be a n",
        ),
        (_engine, "IPEngine", {"startup_scrpt": ""}, "(did you mean startup_script?)"),
        (_engine, "IPKernelApp", {"exec_lines": "x"}, "IPKernelApp.exec_lines must be a list"),
        (_engine, "InteractiveShellApp", {"extensions": 1}, "extensions must be a list"),
        (_engine, "ZMQInteractiveShell", {"autocall": 7}, "autocall must be any of"),
    ],
)
def test_a_name_or_a_value_that_can_not_be(
    kinds: Callable[[], dict[str, type[Any]]], section: str, values: dict[str, Any], said: str
) -> None:
    (found,) = faults(Config({section: values}), kinds(), ())
    assert said in found


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("HeartMonitor", {"period": 77}),
        ("SqlMagic", {"autolimit": 7}),  # of an extension that may be on the machines
        ("TerminalInteractiveShell", {"confirm_exit": False}),
        ("InteractiveShell", {"of_another_version": 7}),
        ("IPControllerApp", {"reuse_files": True}),
        ("IPController", {"HeartMonitor": Config({"period": 77})}),
    ],
)
def test_what_may_be_right_passes(section: str, values: dict[str, Any]) -> None:
    old = IPController._deprecated_classes
    assert list(faults(Config({section: values}), _controller() | _engine(), old)) == []


def test_a_list_that_is_only_appended_to_passes() -> None:
    config = Config()
    config.IPKernelApp.exec_lines.append("x = 1")
    assert list(faults(config, _engine(), ())) == []
