"""What is refused or told otherwise on a client's connection; most pass untouched.

Which gate a connection has is told by its channel: gate_of().
"""

from typing import TYPE_CHECKING

from ..record.contents import DASK
from . import zmtp
from .error_replies import Content, OpenRequests, parsed
from .hub import REGISTRATION
from .message_filter import Change, Filter, Frames, Verdict

if TYPE_CHECKING:
    from .tunnel_ends import ClientEnd

TASKS = ("mux", "task", "broadcast")  # channels on which functions and objects travel
HOST = "127.0.0.1"  # where our ports are
# how the engines' packages being others may show
OF_PACKAGES = "AttributeError ImportError ModuleNotFoundError TypeError UnpicklingError".split()


class Gate:
    """Both directions of a connection; each takes what has come, and returns what to send on."""

    def up(self, data: bytes) -> bytes:
        return data

    def down(self, data: bytes) -> bytes:
        return data


def gate_of(end: "ClientEnd") -> Gate:
    if end.name in TASKS and end.tunnels.visitors is not None:
        return TaskGate(end)
    if end.name == REGISTRATION and DASK in end.tunnels.ports:
        return DaskGate(end)
    return Gate()


class TaskGate(Gate):
    """Keeps functions from engines that they would end, and warns of packages that are others.

    For a client with the engines' environment it is open from its first request on.
    """

    def __init__(self, end: "ClientEnd") -> None:
        self._end = end
        self._requests, self._replies = Filter(self._judge_request), Filter(self._judge_reply)

    def up(self, data: bytes) -> bytes:
        return self._requests.feed(data)

    def down(self, data: bytes) -> bytes:
        return self._replies.feed(data)

    def _judge_request(self, frames: Frames) -> Verdict | Change:
        header = parsed(frames[1])
        visitors, msg_id = self._end.tunnels.visitors, str(header.get("msg_id", ""))
        visitor = visitors.look(msg_id, self._end.route, self._end.go_on) if visitors else None
        if visitor is None:
            self._end.transport.pause_reading()
            return Verdict.WAIT
        if visitor.refusal and header.get("msg_type") == "apply_request":
            refusal = visitor.refusal
            return lambda message: self._refuse(message, refusal)
        if visitor.warning and not visitor.is_warned:
            visitor.is_warned = self._end.tunnels.print_for(header, f"{visitor.warning}\n")
        settled = not visitor.refusal and (visitor.is_warned or not visitor.warning)
        return Verdict.OPEN if settled else Verdict.PASS

    def _refuse(self, message: Frames, why: str) -> bytes:
        requests = OpenRequests()
        requests.asked(message[message.index(zmtp.DELIMITER) + 1 :])
        self._end.refuse(requests.take(), why)
        return b""

    def _judge_reply(self, frames: Frames) -> Verdict | Change:
        visitors = self._end.tunnels.visitors
        visitor = visitors.known(str(parsed(frames[2]).get("msg_id", ""))) if visitors else None
        if visitor is None or not visitor.warning:
            return Verdict.OPEN
        if parsed(frames[3]).get("status") != "error":
            return Verdict.PASS
        warning = visitor.warning
        return lambda message: self._explain(message, warning)

    def _explain(self, message: Frames, warning: str) -> bytes:
        def explain(content: Content) -> Content:
            if content.get("ename") not in OF_PACKAGES:
                return content
            traceback = [*content.get("traceback", ()), warning]
            return {
                **content,
                "evalue": f"{content.get('evalue')}. {warning}",
                "traceback": traceback,
            }

        return self._end.tunnels.error_replies.changed(message, explain)


class DaskGate(Gate):
    """Has clients find dask's scheduler at a port of ours."""

    def __init__(self, end: "ClientEnd") -> None:
        self._end = end
        self._replies = Filter(self._judge)

    def down(self, data: bytes) -> bytes:
        return self._replies.feed(data)

    def _judge(self, frames: Frames) -> Verdict | Change:
        asked = parsed(frames[2]).get("msg_type")
        return self._lead if asked == "become_dask_request" else Verdict.PASS

    def _lead(self, message: Frames) -> bytes:
        port = self._end.tunnels.ports[DASK]

        def lead(content: Content) -> Content:
            if content.get("status") != "ok":
                return content
            scheme = str(content.get("address")).partition("://")[0]
            return {**content, "address": f"{scheme}://{HOST}:{port}", "ip": HOST, "port": port}

        return self._end.tunnels.error_replies.changed(message, lead)
