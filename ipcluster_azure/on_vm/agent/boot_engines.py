"""An engines' machine of a job file: from its customData to engines that are registered."""

from __future__ import annotations

import json
import time
import urllib.parse
from typing import TYPE_CHECKING

from .heartbeat import tell
from .instance_metadata import NETWORK, metadata
from .processes import Json
from .work_dir import say, write_json

if TYPE_CHECKING:
    from .boot import Boot

JOIN_TIMEOUT_S = 3600.0  # for the controller to be there: it may be deployed later
ASK_S, SAY_S = 1.0, 60.0
START_TIMEOUT_S = 120
ENGINE_FILE, BUNDLE = "engine.json", "bundle.tar.gz"


def start_engines(boot: Boot) -> None:
    """Start as many engines as the guard gives this machine; returns once they are registered.

    Raises Failed and OSError.
    """
    settings = boot.settings
    address = own_address()
    given = join(boot, address)
    if not given["engines"]:
        say("the set's engines all run on other machines")
        return
    write_json(boot.work.root / ENGINE_FILE, {**given["engine"], "key": settings["hub"]["key"]})
    depot, bundle = urllib.parse.urlsplit(given["depot"]), given["bundle"]
    source = [str(depot.hostname), str(depot.port), f"{depot.path}/{bundle['path']}"]
    take = [boot.system_python, "vm_take.py", *source, bundle["sha256"], BUNDLE]
    boot.run("taking the programs from the controller", take, attempts=5)
    boot.run("unpacking them", ["tar", "-xzf", BUNDLE])
    if boot.is_built:
        fetch = [boot.system_python, "vm_fetch.py", f"--url={given['depot']}", "--pass-on"]
        fetch.append(f"--sha256={given['environment']}")
        boot.run("taking the packages from the controller", fetch)
        environment = [boot.system_python, "vm_environment.py", "install"]
        boot.run("installing the packages", environment)
    agent = [boot.python, "vm_agent.py", "engines", "--dir=.", f"--set={settings['set']}"]
    agent += [f"--count={given['engines']}", f"--cores={settings['cores']}"]
    agent += [f"--engine-file={ENGINE_FILE}", f"--timeout-s={START_TIMEOUT_S}"]
    agent += [f"--address={address}", f"--wrapper={json.dumps(settings['cmd'][:-1])}"]
    agent += ["--", *settings["args"]]
    boot.run("starting the engines", agent)


def own_address() -> str:
    """Return this machine's address in the virtual network. Raises OSError, ValueError."""
    deadline = time.monotonic() + 60
    while True:
        try:
            interfaces = metadata(NETWORK).content["interface"]
            return str(interfaces[0]["ipv4"]["ipAddress"][0]["privateIpAddress"])
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(ASK_S)


def join(boot: Boot, address: str) -> Json:
    """Ask the guard until the controller runs; returns its answer (joining.py).

    Raises TimeoutError after JOIN_TIMEOUT_S.
    """
    boot.note("starting", "waiting for the controller")
    settings = boot.settings
    request = {"join": settings["set"], "machine": address, "n": settings["n"]}
    request.update(most=settings["most"], delete=settings["delete"])
    deadline = time.monotonic() + JOIN_TIMEOUT_S
    said_at = 0.0
    while time.monotonic() < deadline:
        reason = "it is being set up"
        try:
            answer = tell(settings["hub"], request)
            if answer["engines"] is not None:
                return answer
        except (OSError, ValueError, KeyError) as error:
            reason = str(error)
        if time.monotonic() - said_at > SAY_S:
            said_at = time.monotonic()
            say(f"the controller at {settings['hub']['location']} does not answer yet: {reason}")
        time.sleep(ASK_S)
    raise TimeoutError(f"no controller at {settings['hub']['location']} within an hour")
