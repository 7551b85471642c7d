"""Which Python a process runs, by the files that it has mapped."""

import pytest

from ipcluster_azure.link.client_interpreters import Interpreter, interpreter_with

VENV = "/home/me/project/.venv/lib/python3.12/site-packages"
DEBIAN = "/usr/lib/python3/dist-packages"
WINDOWS = r"C:\Users\me\venv\Lib\site-packages"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            ["/usr/bin/python3.12", f"{VENV}/zmq/backend/cython/_zmq.abi3.so", "/lib/libc.so.6"],
            Interpreter("3.12", (VENV,)),
        ),
        (
            [
                "/usr/bin/python3",
                f"{DEBIAN}/zmq/backend/cython/_zmq.cpython-311-x86_64-linux-gnu.so",
                "/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0",
            ],
            Interpreter("3.11", (DEBIAN,)),
        ),
        (
            [
                r"C:\Users\me\venv\Scripts\python.exe",
                r"C:\Python\python3.dll",
                r"C:\Python\python313.dll",
                rf"{WINDOWS}\zmq\backend\cython\_zmq.cp313-win_amd64.pyd",
            ],
            Interpreter("3.13", (WINDOWS,)),
        ),
        (
            [
                "/Library/Frameworks/Python.framework/Versions/3.10/Resources/Python.app/Contents"
                "/MacOS/Python"
            ],
            Interpreter("3.10", ()),
        ),
        (["/opt/tool/bin/client", "/opt/data/numbers.bin"], Interpreter("", ())),
    ],
    ids=["virtual environment", "Debian", "Windows", "macOS", "something else"],
)
def test_the_files_of_a_process_tell_its_python(files: list[str], expected: Interpreter) -> None:
    assert interpreter_with(files) == expected
