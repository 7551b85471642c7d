"""Runs on the controller's machine for `ipcluster-azure notebook`, with any Python from 3.8 on and
its standard library alone. Sent as it is needed: it is of the version that runs it.

    look --python PYTHON    says whether JupyterLab runs, whether PYTHON has it, what the machine is
    start --wanted JSON     starts it unless it runs

Runs in the work directory; JupyterLab shows the folder around it, which is where the engines'
machines have the user's files, too. All of JupyterLab's own is below notebook/: env, if no other
Python has JupyterLab, config, data, log, token. Prints one JSON object a line for the launcher.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import platform
import secrets
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path.cwd()
HOME = ROOT.parent
LAB = ROOT / "notebook"
EXAMPLES = LAB / "examples"  # sent with this program, as a package
SENT = ROOT / "files.json"  # notebook_files.py makes it
START_S, LOOK_S = 120.0, 0.1
# not -m: it is started in the home directory, where a random.py of the user's would be Python's own
RUN_JUPYTERLAB = (
    "import sys; sys.path[:] = filter(None, sys.path); "
    "from jupyterlab.labapp import main; sys.exit(main())"
)
# As `python -m ipykernel_launcher` does, but PYTHONPATH's folders, of which the home directory is
# one, come last until the kernel has what it needs.
RUN_KERNEL = (
    "import os, sys; path = [*filter(None, sys.path)]; "
    "own = os.environ['PYTHONPATH'].split(os.pathsep); "
    "sys.path[:] = sorted(path, key=lambda entry: entry in own); "
    "from ipykernel.kernelapp import launch_new_instance; "
    "sys.path[:] = path; launch_new_instance()"
)
LOG_TAIL = 2000  # characters
JsonObject = dict[str, Any]


class Failed(Exception):
    """Says to the launcher what failed."""


def emit(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def write_private(path: Path, text: str) -> None:
    """Replace a file that only its owner may read, at once."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    new.replace(path)


# --- look


def look(python: str) -> None:
    """Tell of it; what an installation of our own may share with the engines' is made shareable."""
    LAB.mkdir(mode=0o700, exist_ok=True)
    for name in ("bin", "python"):  # uv, and Pythons that it has brought
        if (ROOT / name).is_dir() and not (LAB / name).exists():
            (LAB / name).symlink_to(ROOT / name)
    libc = os.confstr("CS_GNU_LIBC_VERSION") or "glibc 0"
    emit(
        "looked",
        runs=running() is not None,
        has_lab=has(python, "jupyterlab"),
        architecture=platform.machine(),
        glibc=[int(part) for part in libc.split()[-1].split(".")],
    )


def program(python: str) -> str:
    """Return the path of a Python that is named from the work directory, or is on the PATH."""
    return str(ROOT / python) if "/" in python else python


def has(python: str, module: str) -> bool:
    """Return whether a Python finds a module, without importing it."""
    code = "import sys, importlib.util as u; sys.exit(u.find_spec(sys.argv[1]) is None)"
    return subprocess.run([program(python), "-c", code, module], cwd=LAB).returncode == 0


# --- the server


def running() -> JsonObject | None:
    """Return {"pid", "born", "port"} of the JupyterLab that runs, None if there is none."""
    server: JsonObject = read_json(LAB / "server.json")
    return server if server and born(server["pid"]) == server["born"] else None


def born(pid: int) -> str:
    """Return when a process was started, in clock ticks since boot; empty if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in b"ZX" else fields[19].decode()


def token() -> str:
    """Return what opens JupyterLab: the same for as long as the machine lives."""
    path = LAB / "token"
    if not path.exists():
        write_private(path, secrets.token_hex(24))
    return path.read_text(encoding="utf-8")


def start(wanted: JsonObject) -> None:
    """`wanted`: {"python": the engines' Python, of which kernels are; "lab": the one that has
    JupyterLab; "address": where to listen; "cluster_id"}."""
    with open(LAB / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = running()
        if server is None:
            configure(wanted)
            server = launch(wanted["lab"])
            write_private(LAB / "server.json", json.dumps(server))
        emit("notebook", port=server["port"], token=token())


def configure(wanted: JsonObject) -> None:
    """Write what JupyterLab and its kernels read."""
    config = {
        "ServerApp": {
            "ip": wanted["address"],
            "port": 0,
            "open_browser": False,
            "root_dir": str(HOME),
            "allow_root": os.geteuid() == 0,
            "allow_remote_access": False,  # a forward's near end is 127.0.0.1 for browsers
            "jpserver_extensions": {"jupyterlab": True, "ipyparallel": False},
        },
        "IdentityProvider": {"token": token()},
        "LabApp": {
            "news_url": None,
            "check_for_updates_class": "jupyterlab.handlers.announcements.NeverCheckForUpdate",
            "extension_manager": "readonly",
        },
        "LanguageServerManager": {"autodetect": False},
    }
    write_private(LAB / "config" / "jupyter_server_config.json", json.dumps(config))
    # its clusters would be processes of this machine; and it has nothing to announce
    disabled = ("ipyparallel-labextension", "@jupyterlab/apputils-extension:announcements")
    page = {"disabledExtensions": dict.fromkeys(disabled, True)}
    write_private(LAB / "config" / "labconfig" / "page_config.json", json.dumps(page))
    write_private(LAB / "data" / "kernels" / "python3" / "kernel.json", json.dumps(kernel(wanted)))
    link_client_file(wanted["cluster_id"])


def kernel(wanted: JsonObject) -> JsonObject:
    """Return the specification of the one kernel: the Python that the engines have."""
    python = wanted["python"]
    paths = [str(HOME / place) for place in ("", *read_json(SENT).get("search", ()))]
    if not has(python, "ipcluster_azure"):
        paths.append(str(EXAMPLES))
    paths += filter(None, [os.environ.get("PYTHONPATH")])
    return {
        "argv": [program(python), "-c", RUN_KERNEL, "-f", "{connection_file}"],
        "display_name": "Python of the engines",
        "language": "python",
        "env": {"PYTHONPATH": os.pathsep.join(paths), "IPCLUSTER_RUNNING": "1"},
    }


def link_client_file(cluster_id: str) -> None:
    """Let ipp.Client() find the cluster: as that of the profile "default"."""
    security = LAB / "ipython" / "profile_default" / "security"
    security.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"ipcontroller-{cluster_id}" if cluster_id else "ipcontroller"
    link = security / "ipcontroller-client.json"
    with contextlib.suppress(FileNotFoundError):
        link.unlink()
    link.symlink_to(ROOT / "profile" / "security" / f"{name}-client.json")


def launch(python: str) -> JsonObject:
    """Start JupyterLab as a daemon; returns once it answers. Raises Failed with its log's end."""
    folders = {
        "IPYTHONDIR": "ipython",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
    }
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")},
        **{name: str(LAB / folder) for name, folder in folders.items()},
        "JUPYTER_PREFER_ENV_PATH": "0",  # else what an environment brings overrides our settings
    }
    shutil.rmtree(LAB / "runtime", ignore_errors=True)
    log = ROOT / "log" / "jupyterlab.log"
    log.parent.mkdir(mode=0o700, exist_ok=True)
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as output:
        daemon = subprocess.Popen(
            [program(python), "-c", RUN_JUPYTERLAB],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=HOME,
            env=environment,
        )
    deadline = time.monotonic() + START_S
    while (port := answering(daemon.pid)) is None:
        if daemon.poll() is not None:
            raise Failed(f"JupyterLab ended with {daemon.returncode}; its log is {log}")
        if time.monotonic() > deadline:
            daemon.kill()
            raise Failed(f"JupyterLab did not answer within {START_S:.0f} s; its log is {log}")
        time.sleep(LOOK_S)
    return {"pid": daemon.pid, "born": born(daemon.pid), "port": port}


def answering(pid: int) -> int | None:
    """Return the port at which a JupyterLab that was started answers; None if it doesn't yet."""
    server = read_json(LAB / "runtime" / f"jpserver-{pid}.json")
    if not server:
        return None
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(
        f"http://{server['hostname']}:{server['port']}/api", headers={"Host": "127.0.0.1"}
    )
    try:
        with direct.open(request, timeout=5):
            return int(server["port"])
    except OSError:
        return None


def log_tail() -> str:
    try:
        return (ROOT / "log" / "jupyterlab.log").read_text(errors="replace")[-LOG_TAIL:]
    except OSError:
        return ""


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("command", choices=["look", "start"])
    parser.add_argument("--python", default="")
    parser.add_argument("--wanted", type=json.loads, default={})
    options = parser.parse_args(argv)
    try:
        if options.command == "look":
            look(options.python)
        else:
            start(options.wanted)
    except Failed as failure:
        emit("failed", reason=str(failure), log_tail=log_tail())
        return 1
    except OSError as error:  # a full disk, for example
        emit("failed", reason=f"JupyterLab can't be started: {error}", log_tail="")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
