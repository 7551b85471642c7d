"""One engine: what a process forked from the supervisor becomes. Needs ipyparallel. Linux."""

from __future__ import annotations

import contextlib
import gc
import glob
import importlib
import inspect
import os
import select
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from .dask import find_scheduler
from .missing_modules import explain_missing_modules
from .own_files import MANIFEST, OwnFiles
from .preparation import Preparation
from .processes import Json, parse_signal
from .work_dir import hide_own_folder, private

PRELOADED = (  # what an engine has imported when it is registered (0.4 s of 0.5 s is debugpy)
    "ipyparallel.engine.app",
    "ipykernel.debugger",
    "IPython.extensions.storemagic",
    "tornado.platform.asyncio",
    "tornado.queues",
)
LAST_TASKS_S = 1.0  # in which a task that was sent before all knew that we leave still arrives

Report = Callable[[str, int], None]


def preload() -> None:
    """Import what each engine would, before the supervisor has any thread or ZeroMQ context."""
    hide_own_folder()
    gc.disable()
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # as IPEngine does
    for module in PRELOADED:
        with contextlib.suppress(ImportError):  # some are optional, or of one version only
            importlib.import_module(module)
    from jupyter_client.localinterfaces import localhost

    localhost()  # looks the interfaces up once
    if len(os.listdir("/proc/self/task")) > 1:
        print("warning: forking with more than one thread", file=sys.stderr)
    gc.collect()
    gc.freeze()  # the collector would write to, and so copy, the shared pages
    gc.enable()


@dataclass(frozen=True)
class EngineOrder:
    """What one engine is to be.

    `report` is called with its state and its id: "starting" once it has an id, "registered" when it
    is complete, "leaving" when it ends because it was asked to. `tell` hears what went wrong in its
    preparation, one line for each fault. `home` is where the
    user's files are, its working directory.
    `evicted` is an eventfd: readable from the moment that the machine will be taken away. `tally`:
    two numbers in shared memory, how many tasks were begun and done. `hub` is the content of
    `engine_file`, `address` the machine's own or empty.
    """

    index: int
    count: int
    log: str
    profile_dir: str
    home: str
    engine_file: str
    timeout_s: float
    args: list[str]
    evicted: int
    tally: memoryview[int]
    report: Report
    tell: Callable[[str], None]
    hub: Json
    address: str


def become_engine(order: EngineOrder) -> NoReturn:
    """Make the forked child look like a process of its own, then run IPEngine in it."""
    os.setsid()
    # to Python's own defaults, whatever the supervisor set or nohup left
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        ignored = number in (signal.SIGPIPE, signal.SIGXFSZ)
        signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    with open(order.log, "ab", opener=private) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    # those that a driver shows, else as many as Azure says that the size has
    if gpus := len(glob.glob("/dev/nvidia[0-9]*")) or order.hub.get("gpus", 0):
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", share(order.index, order.count, gpus))
    sys.argv = ["ipengine", f"--profile-dir={order.profile_dir}", *order.args]
    sys.argv.append(f"--IPEngine.url_file={order.engine_file}")
    sys.exit(run_engine(order))


def share(index: int, count: int, gpus: int) -> str:
    """Return the GPUs of one engine of `count`: an even part of them, or one shared with others."""
    first = index * gpus // count
    return ",".join(map(str, range(first, max(first + 1, (index + 1) * gpus // count))))


def run_engine(order: EngineOrder) -> int:
    """Run IPEngine without its nanny; returns the exit status."""
    from ipyparallel.engine.app import IPEngine

    app = IPEngine.instance(timeout=order.timeout_s)  # a default: configuration may override it
    preparation = Preparation(app, Path(order.profile_dir), order.tell)
    app.initialize(sys.argv[1:])
    find_scheduler(order.hub, order.address)
    preparation.use_sent_files()
    app.enable_nanny = False
    app.observe(lambda change: order.report("starting", change.new), "id")
    _equip_kernel(app, order)
    _report_registration(app, order, preparation)
    try:
        app.start()
    except RuntimeError as error:  # this is how IPEngine 9.2 ends on TERM
        if "Event loop stopped" not in str(error):
            raise
    if 0 < app.max_heartbeat_misses <= app._hb_missed_beats:  # it has given the controller up
        return 1
    order.report("leaving", app.id)
    return 0


def _equip_kernel(app: Any, order: EngineOrder) -> None:
    """Give the kernel, as soon as there is one, what ipyparallel's lacks."""
    given = order.hub.get("environment", "")
    own_files = OwnFiles(Path(order.home), Path(order.profile_dir).parent / MANIFEST)
    app.observe(lambda change: accept_signals(change.new), "kernel")
    app.observe(lambda change: explain_missing_modules(change.new, given), "kernel")
    app.observe(lambda change: own_files.use(change.new), "kernel")
    app.observe(lambda change: count_tasks(change.new, order.tally), "kernel")
    app.observe(lambda change: pass_tasks_on(change.new, order.evicted), "kernel")


def _report_registration(app: Any, order: EngineOrder, preparation: Preparation) -> None:
    """Have the engine report once it is registered, or why its start-up files ended it."""
    complete = app.complete_registration

    async def complete_and_report(*reply: Any) -> None:
        try:
            await complete(*reply)
        except SystemExit as error:
            preparation.note(error)
            raise
        preparation.end()
        leave_when_evicted(app, order.evicted)
        order.report("registered", app.id)

    app.complete_registration = complete_and_report


def accept_signals(kernel: Any) -> None:
    """Let the kernel answer Client.send_signal's requests, which otherwise the nanny intercepts."""
    import threading

    from ipyparallel import error

    # to the main thread: only there Python's handlers run and a task's sleep is interrupted
    main_thread = threading.main_thread().ident or 0

    def signal_request(stream: Any, idents: Any, request: Any) -> None:
        content = {"status": "ok"}
        try:
            number = parse_signal(str(request["content"]["sig"]))
            if (
                signal.getsignal(number) == signal.SIG_DFL
            ):  # may be the end: let the reply out first
                stream.io_loop.call_later(0.1, signal.pthread_kill, main_thread, number)
            else:
                signal.pthread_kill(main_thread, number)
        except Exception:
            content = error.wrap_exception()
        kernel.session.send(stream, "signal_reply", content, parent=request, ident=idents)

    kernel.control_handlers["signal_request"] = signal_request


def count_tasks(kernel: Any, tally: memoryview[int]) -> None:
    """Count the tasks of an engine for the guard: the hub would see no broadcasts."""

    def counted(run: Callable[..., Any]) -> Callable[..., Any]:
        async def run_and_count(*request: Any) -> None:
            tally[0] += 1
            try:
                result = run(*request)
                if inspect.isawaitable(result):
                    await result
            finally:
                tally[1] += 1

        return run_and_count

    for kind in ("apply_request", "execute_request"):
        kernel.shell_handlers[kind] = counted(kernel.shell_handlers[kind])


# --- the machine is taken away (Spot)


def pass_tasks_on(kernel: Any, evicted: int) -> None:
    """From the notice on, answer load-balanced tasks so that the scheduler sends them elsewhere.

    It does so, without counting a retry, when an engine says that it can't meet a task's
    dependencies (TaskScheduler.dispatch_result).
    """
    run = kernel.shell_handlers["apply_request"]

    def run_or_pass_on(stream: Any, ident: Any, request: Any) -> Any:
        load_balanced = "retries" in request["metadata"]
        if not load_balanced or not select.select([evicted], [], [], 0)[0]:
            return run(stream, ident, request)
        metadata = kernel.init_metadata(request) | {"dependencies_met": False, "status": "error"}
        content = {
            "status": "error",
            "ename": "UnmetDependency",
            "evalue": "the machine of this engine is being taken away",
            "traceback": [],
            "engine_info": kernel.get_engine_info(method="apply"),
        }
        kernel.session.send(
            stream, "apply_reply", content, parent=request, ident=ident, metadata=metadata
        )
        return None

    kernel.shell_handlers["apply_request"] = run_or_pass_on


def leave_when_evicted(app: Any, evicted: int) -> None:
    """Leave the hub and end as soon as no task runs: a task keeps the loop from coming to this."""

    def leave(*_: object) -> None:
        app.loop.remove_handler(evicted)
        app.session.send(app.registrar, "unregistration_request", content={"id": app.id})
        app.loop.call_later(LAST_TASKS_S, app.loop.stop)

    app.loop.add_handler(evicted, leave, app.loop.READ)
