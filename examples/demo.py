"""The whole way in half a minute, without an Azure account: make demo.

Starts the local ARM endpoint and a cluster on it with the commands a user types, prices options
on its engines, stops everything, and checks that nothing is left.
"""

import importlib.util
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from pathlib import Path

import ipyparallel as ipp
import numpy as np
import psutil
from IPython.paths import get_ipython_dir

from .demo_commands import ALREADY_STARTED, DemoError, last_json, run, run_anyway, say, step
from .monte_carlo_options.model import Model
from .monte_carlo_options.surface import Surface, price_surface
from .monte_carlo_options.table import format_table, write_csv

PROFILE = "azure-emulator"
N_ENGINES = 4
N_PATHS = 100_000
GONE_TIMEOUT_S = 15.0
VM_MARK = "IPCLUSTER_AZURE_EMULATOR_VM_ID"  # in the environment of a VM's processes


def main() -> int:
    """Run the demo; returns 0, 1 after a failure, 130 after Ctrl-C. Cleans up in each case."""
    begin_s = time.monotonic()
    with ExitStack() as cleanup:
        try:
            demo(cleanup)
        except KeyboardInterrupt:
            say("\nInterrupted. Cleaning up.")
            return 130
        except (DemoError, OSError, psutil.Error, ipp.error.IPythonError) as error:
            say(f"\nThe demo failed: {error}\n\nCleaning up.")
            return 1
        cleanup.pop_all()
    say(f"\nAll done in {time.monotonic() - begin_s:.1f} s. The same on Azure:")
    say("   az login")
    say("   ipcluster-azure init --profile=azure")
    say("   ipcluster start --profile=azure -n 32")
    return 0


def demo(cleanup: ExitStack) -> None:
    """Run the steps, in order. `cleanup` holds at each moment what undoes those so far."""
    check_extras()
    with step("Starting the local ARM endpoint"):
        endpoint, state_dir = start_endpoint(cleanup)
        others = resource_groups()

    with step(f"Making the profile {PROFILE} from the template"):
        run("ipcluster-azure", "init", f"--profile={PROFILE}", "--template=emulator", "--reset")

    with step(f"Starting a controller and {N_ENGINES} engines on the endpoint's machines"):
        start_cluster(cleanup)

    surface = price()

    with step("Showing the prices"):
        show(surface)

    with step("Stopping the cluster; its machines are deleted"):
        known = [endpoint, *endpoint.children(recursive=True)] if endpoint else []
        run("ipcluster", "stop", f"--profile={PROFILE}")
        wait_until_empty("resource groups", lambda: resource_groups() - others)
        say("   the endpoint holds no resource group of the demo")

    with step("Stopping the endpoint, looking for processes left behind"):
        if endpoint:
            run("ipcluster-azure", "emulator", "stop")
        folders = [state_dir, str(Path(get_ipython_dir(), f"profile_{PROFILE}"))]
        wait_until_empty("processes", lambda: left_processes(known, folders))
        say("   no process is left" if endpoint else "   only the endpoint, which ran before")


def check_extras() -> None:
    """Raise DemoError, before anything is started, if an extra that the demo needs is missing."""
    needs = {"aiohttp": "emulator", "matplotlib": "examples"}
    missing = [name for name in needs if importlib.util.find_spec(name) is None]
    if missing:
        extras = ",".join(needs[name] for name in missing)
        raise DemoError(
            f"{' and '.join(missing)} not found. Type: pip install 'ipcluster-azure[{extras}]'"
        )


def start_endpoint(cleanup: ExitStack) -> tuple[psutil.Process | None, str]:
    """Returns the endpoint's process, None if it ran before the demo, and its state folder."""
    answer = last_json(run("ipcluster-azure", "emulator", "start"), "endpoint", "pid", "state_dir")
    say(f"   {answer['endpoint']}")
    process = psutil.Process(answer["pid"])
    if process.create_time() < psutil.Process().create_time():
        return None, answer["state_dir"]
    cleanup.callback(run_anyway, "ipcluster-azure", "emulator", "stop")
    return process, answer["state_dir"]


def start_cluster(cleanup: ExitStack) -> None:
    undo = cleanup.enter_context(ExitStack())
    undo.callback(run_anyway, "ipcluster", "stop", f"--profile={PROFILE}")
    try:
        words = ["--daemonize", "--AzureVMLauncher.sync_paths=[]"]  # it needs none of the user's
        run("ipcluster", "start", f"--profile={PROFILE}", "-n", str(N_ENGINES), *words)
    except DemoError as error:
        if error.returncode == ALREADY_STARTED:
            undo.pop_all()  # somebody else's, and perhaps in use
            raise DemoError(f"{error}\nStop it with: ipcluster stop --profile={PROFILE}") from error
        raise


def price() -> Surface:
    with ipp.Client(profile=PROFILE) as client:
        with step("Waiting for the engines to register"):
            client.wait_for_engines(N_ENGINES, timeout=60, interactive=False)
            say(f"   engines {', '.join(map(str, client.ids))}")
        with step(f"Pricing 6 x 5 options with {N_PATHS:,} paths on the engines"):
            axes = np.linspace(90, 110, 6), np.linspace(0.1, 0.4, 5)  # strikes, volatilities
            return price_surface(Model(), *axes, N_PATHS, client=client, progress=True)


def show(surface: Surface) -> None:
    from .monte_carlo_options.plots import write_plots

    say(format_table(surface))
    folder = output_folder()
    table = folder / "prices.csv"
    write_csv(surface, table)
    for path in [table, *write_plots(surface, folder)]:
        say(f"   wrote {path}")


def output_folder() -> Path:
    """./demo-output, or a temporary folder where that can't be written."""
    folder = Path("demo-output")
    try:
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return Path(tempfile.mkdtemp(prefix="demo-output-"))


def resource_groups() -> set[str]:
    status = last_json(run("ipcluster-azure", "emulator", "status", "--json"), "resource_groups")
    return {json.dumps(group, sort_keys=True) for group in status["resource_groups"]}


def left_processes(known: list[psutil.Process], folders: list[str]) -> list[str]:
    """One line for each of the demo's processes that still runs.

    They are the known ones; the later ones than the demo whose command line names one of the
    folders; and those on a VM of the emulator (it marks them) whose environment names one.
    """
    begin = psutil.Process().create_time()
    left = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()  # empty for a zombie, which only waits for its parent
            if not words or process.pid == os.getpid() or process.create_time() < begin:
                continue
            environment = process.environ()
        except psutil.Error:  # it has just ended, or is another user's
            continue
        traces = [*words, *environment.values()] if VM_MARK in environment else words
        if process in known or any(folder in trace for folder in folders for trace in traces):
            left.append(f"{process.pid}: {' '.join(words)[:150]}")
    return left


def wait_until_empty(what: str, find: Callable[[], Collection[str]]) -> None:
    """Call `find` until it finds nothing. Raises DemoError with what is left in the end."""
    deadline_s = time.monotonic() + GONE_TIMEOUT_S
    interval_s = 0.2
    while left := find():
        if time.monotonic() > deadline_s:
            lines = "".join(f"\n   | {line}" for line in sorted(left))
            raise DemoError(f"{what} left after {GONE_TIMEOUT_S:.0f} s:{lines}")
        time.sleep(interval_s)
        interval_s = min(2 * interval_s, 2.0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
