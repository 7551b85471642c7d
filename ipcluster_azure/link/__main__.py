"""The detached local process of a cluster, which outlives the launcher.

    python -m ipcluster_azure.link RECORD

What it does is in caretaker.py. It ends when the cluster is deleted, and sees to it that a deletion
which another process began comes to its end.
"""

import asyncio
import json
import logging
import os
import sys
import time
from pathlib import Path

from ..record.file import RecordFile
from ..start.link_process import FAILED, OPEN
from .caretaker import take_care
from .kept_code import keep_code

NOT_REPEATED_S = 600.0


def main() -> None:
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    for talkative in ("asyncssh", "azure"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    logging.getLogger().handlers[0].addFilter(Unrepeated())
    file = RecordFile(Path(sys.argv[1]))
    keep_code()
    try:
        asyncio.run(take_care(file, lambda ports: tell_parent({OPEN: ports})))
    except KeyboardInterrupt:
        pass
    except Exception as error:
        logging.getLogger(__name__).exception("The process that keeps the tunnels ends")
        tell_parent({FAILED: str(error) or repr(error)})
        sys.exit(1)


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
