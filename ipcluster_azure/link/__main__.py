"""The detached local process of a cluster, which outlives the launcher.

    python -m ipcluster_azure.link RECORD

What it does is in whole.py and caretaker.py. It ends when the cluster is deleted, and sees to it
that a deletion which another process began comes to its end. If it is killed, its watcher starts it
again (watcher.py); a signal that asks it to end ends both.
"""

import asyncio
import json
import logging
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

if __name__ == "__main__":
    from .. import process

    process.launchers_run_here = False

from ..process import importing

with importing():
    from ..record.file import RecordFile
    from ..start.link_process import FAILED, OPEN
    from .kept_code import keep_code
    from .partner import inherit
    from .whole import Link

NOT_REPEATED_S = 600.0


def main() -> None:
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    for talkative in ("asyncssh", "azure"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    logging.getLogger().handlers[0].addFilter(Unrepeated())
    file = RecordFile(Path(sys.argv[1]))
    left = inherit()
    keep_code()
    try:
        link = Link(file, left)
        signal.signal(signal.SIGTERM, partial(end_at_once, link))
        asyncio.run(link.run(lambda ports: tell_parent({OPEN: ports})))
        link.say_goodbye()
    except KeyboardInterrupt:
        link.say_goodbye()
    except Exception as error:
        logging.getLogger(__name__).exception("The process that keeps the tunnels ends")
        tell_parent({FAILED: str(error) or repr(error)})
        sys.exit(1)


def end_at_once(link: Link, number: int, frame: object) -> None:
    """End as the signal makes a process end, for good: whoever sends it means that."""
    link.say_goodbye()
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)


class Unrepeated(logging.Filter):
    """Passes a message once in a while: some are said for days while a computer is offline."""

    def __init__(self) -> None:
        super().__init__()
        self._said_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now, text = time.monotonic(), record.getMessage()
        self._said_at = {
            said: at for said, at in self._said_at.items() if now - at < NOT_REPEATED_S
        }
        return self._said_at.setdefault(text, now) == now


def tell_parent(outcome: dict[str, object]) -> None:
    """Tell the parent once; then its end of the pipe is gone."""
    if sys.stdout is not None:
        print(json.dumps(outcome), flush=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.stdout = None


if __name__ == "__main__":
    main()
