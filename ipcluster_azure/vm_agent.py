"""Runs on each VM: starts a controller or engines there, watches, signals and stops them.

Uploaded as this one file and run over SSH by the VM's Python: `python vm_agent.py SUBCOMMAND ...`.
Needs the standard library and, for `engines`, ipyparallel; it never imports ipcluster_azure. Linux.

Every line on stdout is one JSON object with an "event"; human text goes to stderr and D/log.
Exit status 0, or 1 after {"event": "failed", "reason": ...}. All state is in --dir D, mode 0700:

    D/profile/                 profile directory, may hold configuration put there beforehand
    D/controller.json          pid, create_time and connection files of the controller
    D/engines-{SET}.json       written by the set's supervisor only, replaced atomically:
        {"set", "supervisor": {"pid", "create_time"},
         "engines": [{"index", "pid", "create_time", "id", "state", "exit_code", "log"}]}
        state: "starting" -> "registered" -> "exited"; exit_code is -N after signal N
    D/log/                     ipcontroller.log, supervisor-{SET}.log, ipengine-{SET}-{index}.log

What the SSH command starts is a daemon in a session of its own without any of the command's pipes.
The engines of a set are forked from a supervisor that imported ipyparallel once. It takes the place
of ipyparallel's nannies: it tells the hub at once when an engine ends (a hub that isn't told
waits for its heart monitor, 30 s by default).
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import gc
import glob
import importlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple, NoReturn

Json = dict[str, Any]

POLL_S = 0.05
TERM_GRACE_S = 2.0  # what an engine gets between TERM and KILL
STOP_GRACE_S = 5.0  # what a supervisor or controller gets: more than TERM_GRACE_S + HUB_LINGER_S
HUB_ANSWER_S = 1.0  # before it is asked again
HUB_LINGER_S = 2.0  # how long a last message to a hub that doesn't answer is kept
LOG_TAIL_BYTES = 2_000
PRELOADED = (  # what an engine has imported when it is registered (0.4 s of 0.5 s is debugpy)
    "ipyparallel.engine.app",
    "ipykernel.debugger",
    "IPython.extensions.storemagic",
    "tornado.platform.asyncio",
    "tornado.queues",
)

# --- processes, known by (pid, create_time): a pid alone may have been given to someone else


class ProcStat(NamedTuple):
    group: int
    create_time: int


def proc_stat(pid: int) -> ProcStat | None:
    """From /proc/PID/stat (proc(5)); None when there is no such process or it is a zombie.

    create_time is in clock ticks since boot. psutil's is in seconds since 1970 and moves with the
    clock, which cloud machines set a while after booting.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in b"ZX" else ProcStat(int(fields[2]), int(fields[19]))


def identify(pid: int) -> Json:
    stat = proc_stat(pid)
    return {"pid": pid, "create_time": stat.create_time if stat else None}


def is_alive(process: Json) -> bool:
    stat = proc_stat(process.get("pid") or 0)
    return stat is not None and stat.create_time == process["create_time"]


def group_members(leaders: list[Json]) -> list[int]:
    """Live processes in the groups these processes lead, or led: a group outlives its leader.

    While it does, the kernel doesn't give out the leader's pid again.
    """
    stats = {int(name): proc_stat(int(name)) for name in os.listdir("/proc") if name.isdigit()}
    oldest = {}
    for leader in leaders:
        stat = stats.get(leader["pid"])
        if stat is None or stat.create_time == leader["create_time"]:
            oldest[leader["pid"]] = leader["create_time"] or 0
    return [
        pid
        for pid, stat in stats.items()
        if stat and stat.group in oldest and stat.create_time >= oldest[stat.group]
    ]


def end_processes(leaders: list[Json], grace_s: float) -> list[int]:
    """TERM to each, then KILL to all that is left of their groups after grace_s; returns those."""
    send_signal(leaders, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while (left := group_members(leaders)) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return left


def send_signal(processes: list[Json], number: int) -> list[int]:
    pids = []
    for process in filter(is_alive, processes):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process["pid"], number)
            pids.append(process["pid"])
    return pids


# --- the work directory


class WorkDir:
    def __init__(self, root: str) -> None:
        self.root = Path(root).expanduser().absolute()
        self.profile = self.root / "profile"
        self.log = self.root / "log"
        self.controller_file = self.root / "controller.json"

    def set_file(self, set_id: str) -> Path:
        return self.root / f"engines-{set_id}.json"

    def states(self, set_id: str | None) -> list[Json]:
        """Of one set, or of all."""
        files = [self.set_file(set_id)] if set_id else sorted(self.root.glob("engines-*.json"))
        return [state for file in files if (state := read_json(file))]

    @contextlib.contextmanager
    def starting(self) -> Iterator[None]:
        """Make the directories; one start at a time (a launcher may reconnect and try again)."""
        for folder in (self.root, self.profile, self.log):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root.chmod(0o700)
        with open(self.root / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def spawn(self, command: list[str], log: Path, **env: str) -> subprocess.Popen[bytes]:
        """A daemon: own session, no pipe of ours, HOME as working directory, settings below D."""
        folders = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")
        settings = dict.fromkeys(folders, str(self.root / "ipython"))
        # IPP_* would override what the command line and the connection file say
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("IPP_")}
        home = os.path.expanduser("~")
        with open(log, "wb", opener=private) as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd=home if os.path.isdir(home) else self.root,
                env=env | inherited | settings,
            )


def private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_APPEND, 0o600)


def read_json(path: Path) -> Json:
    """Empty when the file is missing or not complete yet."""
    try:
        content: Json = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content


def write_json(path: Path, content: Json) -> None:
    temporary = path.with_suffix(".new")
    with open(temporary, "w", encoding="utf-8", opener=private) as file:
        json.dump(content, file)
    temporary.replace(path)


def tail(log: Path | str, max_bytes: int = LOG_TAIL_BYTES) -> str:
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - max_bytes))
            return file.read().decode(errors="replace")
    except OSError as error:
        return str(error)


def emit(event: str, **fields: Any) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


def versions() -> Json:
    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        "ipyparallel": installed_version("ipyparallel"),
    }


def installed_version(distribution: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


# --- controller


def controller_command(args: argparse.Namespace) -> int:
    """Start ipcontroller unless it runs; print its connection info once it can be reached."""
    work = WorkDir(args.dir)
    daemon = None
    with work.starting():
        record = read_json(work.controller_file)
        if not is_alive(record):
            daemon, record = start_controller(work, args)
    deadline = time.monotonic() + args.timeout_s
    while (infos := connection_infos(record)) is None:
        if daemon and daemon.poll() is not None:
            reason = f"ipcontroller exited with {daemon.returncode} before it was ready"
        elif time.monotonic() > deadline:
            reason = f"ipcontroller was not ready after {args.timeout_s:g} s"
        else:
            time.sleep(POLL_S)
            continue
        if daemon:
            end_processes([record], grace_s=1)
        log = record["log"]
        emit("failed", reason=f"{reason}; its log is {log}", log=log, log_tail=tail(log))
        return 1
    emit("ready", **infos, pid=record["pid"], **versions())
    return 0


def start_controller(
    work: WorkDir, args: argparse.Namespace
) -> tuple[subprocess.Popen[bytes], Json]:
    import resource

    # each engine takes two descriptors; the usual soft limit of 1,024 ends near 480 engines
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    base = f"ipcontroller-{args.cluster_id}" if args.cluster_id else "ipcontroller"
    files = {
        side: work.profile / "security" / f"{base}-{side}.json" for side in ("client", "engine")
    }
    if not any("reuse" in argument for argument in args.extra):
        for file in files.values():  # of a controller that was killed: they would look ready
            file.unlink(missing_ok=True)

    command = [sys.executable, "-m", "ipyparallel.controller", f"--profile-dir={work.profile}"]
    command += [f"--ip={args.ip}", f"--location={args.ip}"]
    command += [f"--cluster-id={args.cluster_id}"] if args.cluster_id else []
    log = work.log / "ipcontroller.log"
    daemon = work.spawn(command + args.extra, log)
    record = identify(daemon.pid) | {"log": str(log), "cluster_id": args.cluster_id}
    record["files"] = {side: str(file) for side, file in files.items()}
    write_json(work.controller_file, record)
    return daemon, record


def connection_infos(record: Json) -> Json | None:
    """Both files, once both are complete and the hub listens (with --reuse they exist before)."""
    infos = {side: read_json(Path(file)) for side, file in record["files"].items()}
    client = infos["client"]
    if not client or not infos["engine"]:
        return None
    address = (client["location"], client["registration"])
    try:
        socket.create_connection(address, timeout=1).close()
    except OSError:
        return None
    for file in record["files"].values():
        os.chmod(file, 0o600)
    return infos


# --- engines: the command in the foreground


def engines_command(args: argparse.Namespace) -> int:
    """Start a supervisor unless the set runs; report until all engines are registered."""
    work = WorkDir(args.dir)
    log = work.log / f"supervisor-{args.set}.log"
    file = work.set_file(args.set)
    with work.starting():
        state = read_json(file)
        if not is_alive(state.get("supervisor", {})):
            json.loads(Path(args.engine_file).read_bytes())  # raises: a clear message now
            end_processes(state.get("engines", []), grace_s=0)  # orphans of a killed supervisor
            file.unlink(missing_ok=True)
            supervisor = start_supervisor(work, args, log)
            while not file.exists() and supervisor.poll() is None:
                time.sleep(POLL_S / 5)
    return wait_for_engines(file, args.count, args.timeout_s, log)


def start_supervisor(work: WorkDir, args: argparse.Namespace, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, os.path.abspath(__file__), "supervise", f"--dir={work.root}"]
    command += [f"--set={args.set}", f"--count={args.count}", f"--timeout-s={args.timeout_s}"]
    command += [f"--engine-file={Path(args.engine_file).absolute()}", "--", *args.extra]
    threads = str(max(1, args.cores // args.count))
    libraries = ("OMP", "OPENBLAS", "MKL", "NUMEXPR")
    return work.spawn(command, log, **{f"{name}_NUM_THREADS": threads for name in libraries})


def wait_for_engines(file: Path, count: int, timeout_s: float, supervisor_log: Path) -> int:
    deadline = time.monotonic() + timeout_s
    state = read_json(file)
    reported = None
    while True:
        alive = is_alive(state.get("supervisor", {}))  # before reading the last state it wrote
        state = read_json(file)
        engines = state.get("engines", [])
        registered = [engine for engine in engines if engine["state"] == "registered"]
        counts = {"registered": len(registered), "count": len(engines) or count}
        if counts != reported:
            emit("registered", **counts)
            reported = counts
        if state.get("listed") and counts["registered"] == counts["count"]:
            ids = [{key: engine[key] for key in ("index", "id", "pid")} for engine in registered]
            emit("ready", registered=len(ids), engines=ids, **versions())
            return 0
        reason, culprits = why_failed(engines, alive, timeout_s, time.monotonic() > deadline)
        if reason:
            log = culprits[0]["log"] if culprits else str(supervisor_log)
            reason = f"{len(registered)} of {counts['count']} engines registered; {reason}"
            reason += f"; log: {log}"
            emit("failed", **counts, reason=reason, log=log, log_tail=tail(log))
            return 1
        time.sleep(POLL_S)


def why_failed(
    engines: list[Json], alive: bool, timeout_s: float, late: bool
) -> tuple[str, list[Json]]:
    """The reason, empty as long as waiting makes sense, and the engines to blame.

    One that failed doesn't end the wait for the others: the launcher may do with those.
    """
    exited = [engine for engine in engines if engine["state"] == "exited"]
    starting = [engine for engine in engines if engine["state"] == "starting"]
    if exited and not starting:
        codes = [f"engine {engine['index']} exited with {engine['exit_code']}" for engine in exited]
        return ", ".join(codes), exited
    if not alive:
        return "their supervisor ended", []
    if late:
        names = ", ".join(str(engine["index"]) for engine in starting)
        return f"not after {timeout_s:g} s: {names}", starting
    return "", []


# --- engines: the supervisor and, forked from it, the engines


def supervise_command(args: argparse.Namespace) -> int:
    """Fork the engines, then wait for events until the last one has ended.

    Events are JSON lists, one a line, in one pipe: written by the engines about themselves and by
    this process's own signal handlers.
    """
    work = WorkDir(args.dir)
    supervisor = Supervisor(work, args)
    supervisor.save()
    preload()
    read_end, write_end = os.pipe()

    def report(*event: object) -> None:
        os.write(write_end, json.dumps(event).encode() + b"\n")

    watched = (signal.SIGCHLD, signal.SIGTERM, signal.SIGALRM)
    signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    for number in watched:
        signal.signal(number, lambda number, _: report("signal", number))
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for engine in supervisor.engines:
        pid = os.fork()
        if pid == 0:
            # leaves through SystemExit, so that the interpreter ends as an engine's does
            become_engine(work, args, engine, report)
        engine.update(identify(pid))
    gc.enable()
    supervisor.save()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, watched)
    supervisor.watch(read_end, report)
    return 0


def preload() -> None:
    """What engines would each import, before any thread or zmq context exists."""
    if sys.path[0] == os.path.dirname(os.path.abspath(__file__)):
        del sys.path[0]  # the user's code shouldn't see what lies beside this file
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


class Supervisor:
    def __init__(self, work: WorkDir, args: argparse.Namespace) -> None:
        self.file = work.set_file(args.set)
        self.set_id = args.set
        # read once: by the time an engine ends, another controller may have written the file anew
        self.hub: Json = json.loads(Path(args.engine_file).read_bytes())
        self.context: Any = None
        self.listed = False
        unknown = dict.fromkeys(("pid", "create_time", "id", "exit_code"))
        log = f"{work.log}/ipengine-{args.set}-"
        self.engines: list[Json] = [
            {"index": index, "state": "starting", "log": f"{log}{index}.log"} | unknown
            for index in range(args.count)
        ]

    def save(self) -> None:
        supervisor = identify(os.getpid())
        state = {"set": self.set_id, "supervisor": supervisor, "engines": self.engines}
        state["listed"] = self.listed
        write_json(self.file, state)

    def running(self) -> list[Json]:
        return [engine for engine in self.engines if engine["state"] != "exited"]

    def watch(self, read_end: int, report: Callable[..., None]) -> None:
        with os.fdopen(read_end) as events:
            while self.running():
                kind, *details = json.loads(events.readline())
                if kind == "engine":
                    self.engine_reported(*details)
                    if all(engine["state"] == "registered" for engine in self.engines):
                        Thread(target=self.confirm_listed, args=(report,), daemon=True).start()
                elif kind == "listed":
                    self.listed = True
                elif details == [signal.SIGCHLD]:
                    self.reap()
                elif details == [signal.SIGTERM]:
                    send_signal(self.running(), signal.SIGTERM)
                    signal.setitimer(signal.ITIMER_REAL, TERM_GRACE_S)
                else:
                    send_signal(self.running(), signal.SIGKILL)
                self.save()
        if self.context:
            self.context.term()

    def engine_reported(self, index: int, engine_id: int, state: str) -> None:
        engine = self.engines[index]
        engine["id"] = engine_id
        if engine["state"] == "exited":  # it was quicker to die than this line to be read
            self.unregister([engine])
        else:
            engine["state"] = state

    def reap(self) -> None:
        engines = {engine["pid"]: engine for engine in self.running()}
        ended = []
        while engines:
            # the zombie keeps the pid, so its group can be killed safely: workers of an engine end
            # with it (what a task starts in a session of its own stays)
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is None:
                break
            with contextlib.suppress(OSError):
                os.killpg(found.si_pid, signal.SIGKILL)
            _, status = os.waitpid(found.si_pid, 0)
            engine = engines.pop(found.si_pid)
            engine.update(state="exited", exit_code=os.waitstatus_to_exitcode(status))
            ended.append(engine)
        self.unregister(ended)

    def unregister(self, engines: list[Json]) -> None:
        """Tell the hub, as ipyparallel.engine.nanny.KernelNanny.notify_exit does."""
        ids = [engine["id"] for engine in engines if engine["id"] is not None]
        if not ids:
            return
        with self.hub_socket() as (session, dealer):
            for engine_id in ids:
                session.send(dealer, "unregistration_request", content={"id": engine_id})

    def confirm_listed(self, report: Callable[..., None]) -> None:
        """Ask the hub until clients can see all engines: some heartbeats after registration."""
        ids = {str(engine["id"]) for engine in self.engines}
        with self.hub_socket() as (session, dealer):
            while len(self.running()) == len(ids):
                session.send(dealer, "connection_request", content={})
                if dealer.poll(HUB_ANSWER_S * 1000):
                    _, reply = session.feed_identities(dealer.recv_multipart())
                    if ids <= session.deserialize(reply)["content"].get("engines", {}).keys():
                        report("listed")
                        return
                time.sleep(POLL_S)

    @contextlib.contextmanager
    def hub_socket(self) -> Iterator[tuple[Any, Any]]:
        """A session and a socket to the hub's registration port."""
        from ipyparallel import util
        from jupyter_client.session import Session

        util._disable_session_extract_dates()
        hub = self.hub
        session = Session(
            key=hub["key"].encode(),
            signature_scheme=hub["signature_scheme"],
            packer=hub["pack"],
            unpacker=hub["unpack"],
        )
        zmq: Any = importlib.import_module("zmq")
        self.context = self.context or zmq.Context()
        with self.context.socket(zmq.DEALER) as dealer:
            dealer.LINGER = int(HUB_LINGER_S * 1000)
            url = f"{hub['interface']}:{hub['registration']}"
            url = util.disambiguate_url(url, hub["location"])
            util.connect(dealer, url, curve_serverkey=(hub.get("curve_serverkey") or "").encode())
            yield session, dealer


def become_engine(
    work: WorkDir, args: argparse.Namespace, engine: Json, report: Callable[..., None]
) -> NoReturn:
    """In the forked child: make it look like a process of its own, then run IPEngine in it."""
    os.setsid()
    # to Python's own defaults, whatever the supervisor set or nohup left
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        ignored = number in (signal.SIGPIPE, signal.SIGXFSZ)
        signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    with open(engine["log"], "wb", opener=private) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    gpus = len(glob.glob("/dev/nvidia[0-9]*"))
    if gpus:
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", share(engine["index"], args.count, gpus))
    gc.enable()
    sys.argv = ["ipengine", f"--profile-dir={work.profile}", *args.extra]
    sys.argv.append(f"--IPEngine.url_file={args.engine_file}")
    run_engine(engine["index"], args.timeout_s, report)
    sys.exit(0)


def share(index: int, count: int, gpus: int) -> str:
    """The GPUs of one engine of count: an even part of them, or one shared with others."""
    first = index * gpus // count
    return ",".join(map(str, range(first, max(first + 1, (index + 1) * gpus // count))))


def run_engine(index: int, timeout_s: float, report: Callable[..., None]) -> None:
    """IPEngine without nanny; it reports its id when it has one, and when it is complete."""
    from ipyparallel.engine.app import IPEngine

    app = IPEngine.instance(timeout=timeout_s)  # a default: configuration may override it
    app.initialize(sys.argv[1:])
    app.enable_nanny = False
    app.observe(lambda change: report("engine", index, change.new, "starting"), "id")
    app.observe(lambda change: accept_signals(change.new), "kernel")
    complete = app.complete_registration

    async def complete_and_report(*reply: Any) -> None:
        await complete(*reply)
        report("engine", index, app.id, "registered")

    app.complete_registration = complete_and_report
    try:
        app.start()
    except RuntimeError as error:  # this is how IPEngine 9.2 ends on TERM
        if "Event loop stopped" not in str(error):
            raise


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


# --- the other commands


def signal_command(args: argparse.Namespace) -> int:
    state = read_json(WorkDir(args.dir).set_file(args.set))
    emit("signalled", pids=send_signal(state.get("engines", []), args.signum))
    return 0


def stop_command(args: argparse.Namespace) -> int:
    """Engines leave the hub, then end; safe to repeat. "killed" lists what TERM didn't end."""
    work = WorkDir(args.dir)
    states = work.states(args.set)
    record = read_json(work.controller_file) if args.controller else {}
    killed = end_processes([state["supervisor"] for state in states], STOP_GRACE_S)
    killed += end_processes([e for state in states for e in state["engines"]], grace_s=0)
    killed += end_processes([record] if record else [], STOP_GRACE_S)
    sets = [state["set"] for state in states]
    emit("stopped", sets=sets, controller=bool(record), killed=killed)
    return 0


def status_command(args: argparse.Namespace) -> int:
    """The state files, each process with "alive" added: a killed supervisor updates no file."""
    work = WorkDir(args.dir)
    controller = read_json(work.controller_file)
    states = work.states(args.set)
    processes = [p for state in states for p in (state["supervisor"], *state["engines"])]
    for process in [*processes, controller]:
        process["alive"] = is_alive(process)
    known = controller if "pid" in controller else None
    emit("status", controller=known, sets=states, load=os.getloadavg())
    return 0


def logs_command(args: argparse.Namespace) -> int:
    pattern = r".*\.log"
    if args.controller:
        pattern = r"ipcontroller\.log"
    elif args.set:
        pattern = rf"ipengine-{re.escape(args.set)}-\d+\.log|supervisor-{re.escape(args.set)}\.log"
    for log in sorted(WorkDir(args.dir).log.glob("*.log")):
        if re.fullmatch(pattern, log.name):
            emit("log", name=log.name, text=tail(log, args.max_bytes))
    return 0


def check_command(args: argparse.Namespace) -> int:
    """Code objects travel, so client and VM need the same Python minor version and ipyparallel."""
    found = versions()
    minor = ".".join(found["python"].split(".")[:2])
    expected_minor = ".".join(args.expect_python.split(".")[:2])
    if (minor, found["ipyparallel"]) != (expected_minor, args.expect_ipyparallel):
        emit(
            "failed",
            reason=f"{sys.executable} has Python {found['python']} with ipyparallel "
            f"{found['ipyparallel'] or '(none)'}; the client has Python {args.expect_python} with "
            f"ipyparallel {args.expect_ipyparallel}",
        )
        return 1
    emit("environment", **found, numpy=installed_version("numpy"), executable=sys.executable)
    return 0


# --- command line


def parse_signal(text: str) -> int:
    """A number, SIGINT or INT."""
    if text.lstrip("-").isdigit():
        return int(text)
    name = text.upper()
    try:
        return signal.Signals[name if name.startswith("SIG") else f"SIG{name}"]
    except KeyError:
        raise ValueError(f"no such signal: {text}") from None


def file_name_part(text: str) -> str:
    if not re.fullmatch(r"[\w.-]+", text):
        raise argparse.ArgumentTypeError(f"{text!r} can't be part of a file name")
    return text


def parse(argv: list[str]) -> argparse.Namespace:
    extra: list[str] = []
    if "--" in argv:  # argparse treats "--" differently from one Python to the next
        argv, extra = argv[: argv.index("--")], argv[argv.index("--") + 1 :]
    parser = argparse.ArgumentParser(prog="vm_agent.py", allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="SUBCOMMAND")

    def add(name: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        command = commands.add_parser(name, allow_abbrev=False)
        command.set_defaults(run=run, extra=extra)
        if name != "check":
            command.add_argument("--dir", required=True)
        return command

    controller = add("controller", controller_command)
    controller.add_argument("--ip", required=True)
    controller.add_argument("--cluster-id", default="")
    controller.add_argument("--timeout-s", type=float, default=60)
    for engines in (add("engines", engines_command), add("supervise", supervise_command)):
        engines.add_argument("--set", type=file_name_part, required=True)
        engines.add_argument("--count", type=int, required=True)
        engines.add_argument("--engine-file", required=True)
        engines.add_argument("--timeout-s", type=float, default=60)
        engines.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    signalling = add("signal", signal_command)
    signalling.add_argument("--set", type=file_name_part, required=True)
    signalling.add_argument("--signum", type=parse_signal, required=True)
    stop, logs = add("stop", stop_command), add("logs", logs_command)
    for command in (add("status", status_command), stop, logs):
        command.add_argument("--set", type=file_name_part)
    for command in (stop, logs):
        command.add_argument("--controller", action="store_true")
    logs.add_argument("--max-bytes", type=int, default=100_000)
    check = add("check", check_command)
    check.add_argument("--expect-python", required=True)
    check.add_argument("--expect-ipyparallel", required=True)
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    args = parse(argv)
    try:
        status: int = args.run(args)
    except Exception as error:
        traceback.print_exc()
        if args.run is not supervise_command:
            emit("failed", reason=f"{type(error).__name__}: {error}")
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
