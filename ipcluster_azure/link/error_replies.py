"""What clients are told instead of the answers that will never come.

ipyparallel's client waits for ever for a controller that is gone, and for an answer that was lost
with a connection. So requests and replies are counted as they pass, and what is left open is
answered with an error, signed as the controller would (Jupyter's messaging, with ipyparallel's
`apply_reply`).
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from . import zmtp

if TYPE_CHECKING:
    from jupyter_client.session import Session

ENAME = "EngineError"  # as when an engine dies at a task
REQUEST = re.compile(r"[a-z]{1,40}(_[a-z]{1,40})?_request")
MSG_ID = re.compile(r"\S{1,200}")
CONNECTION = "connection_reply"  # to a client's first question, without which it can't begin
Content = dict[str, Any]  # of a message
Replies = dict[str, str]  # message id of the request -> type of its reply


class OpenRequests:
    """The requests on one client's connection that have no reply yet.

    It is fed with the messages of both directions. `new` and `done` are what was asked and answered
    since someone looked.
    """

    def __init__(self) -> None:
        self.replies: Replies = {}
        self.new: Replies = {}
        self.done: list[str] = []

    def asked(self, frames: list[bytes]) -> None:
        """Note a message from the client to the controller, as its frames."""
        header, metadata = parsed(frames[1]), parsed(frames[3])
        kind, msg_id = str(header.get("msg_type", "")), str(header.get("msg_id", ""))
        # others aren't answered; and what we sign is never anything but a reply
        if not REQUEST.fullmatch(kind) or not MSG_ID.fullmatch(msg_id):
            return
        reply = f"{kind.removesuffix('_request')}_reply"
        asked = dict.fromkeys(_awaited(msg_id, metadata), reply)
        self.replies.update(asked)
        self.new.update(asked)

    def answered(self, frames: list[bytes]) -> None:
        """Note a message from the controller to the client, as its frames."""
        parent, metadata = parsed(frames[2]), parsed(frames[3])
        for msg_id in (parent.get("msg_id"), metadata.get("original_msg_id")):
            if isinstance(msg_id, str) and self.replies.pop(msg_id, None) is not None:
                self.done.append(msg_id)

    def take(self, which: Iterable[str] | None = None) -> Replies:
        """Have no request open any more, or not these; returns them."""
        msg_ids = list(self.replies if which is None else which)
        return {item: self.replies.pop(item) for item in msg_ids if item in self.replies}

    def take_new(self) -> Replies:
        taken, self.new = self.new, {}
        return taken

    def take_done(self) -> list[str]:
        taken, self.done = self.done, []
        return taken


def _awaited(msg_id: str, metadata: Mapping[str, Any]) -> list[str]:
    """Return the ids that replies will name: for a broadcast one for each target, unless the
    replies are put together (ipyparallel/client/view.py, BroadcastView)."""
    if not metadata.get("is_broadcast") or metadata.get("is_coalescing"):
        return [msg_id]
    return [f"{msg_id}_{identity}" for identity, _ in metadata.get("targets", ())]


def parsed(frame: bytes) -> dict[str, Any]:
    try:
        found = json.loads(frame)
    except ValueError:  # another packer than JSON was configured
        return {}
    return found if isinstance(found, dict) else {}


class ErrorReplies:
    """Makes signed messages in the controller's name, from its client connection file's content."""

    def __init__(self, client_info: Mapping[str, Any]) -> None:
        self._client_info = client_info

    @cached_property
    def session(self) -> "Session":
        from jupyter_client.session import Session  # takes long, and is only wanted at the end

        return Session(
            key=self._client_info["key"].encode(),
            signature_scheme=self._client_info["signature_scheme"],
            packer="json",
            unpacker="json",
        )

    def errors(self, replies: Replies, why: str) -> bytes:
        """Return error replies to these requests, as bytes for a client's connection."""
        content = {
            "status": "error",
            "ename": ENAME,
            "evalue": why,
            "traceback": [f"{ENAME}: {why}"],
            "engine_info": {},
        }
        return b"".join(
            self._message(kind, content, {"msg_id": msg_id}) for msg_id, kind in replies.items()
        )

    def result(self, kind: str, found: Mapping[str, Any], buffers: Sequence[Any]) -> bytes:
        """Return the reply, as bytes for a client's connection, that the hub has on record.

        Nothing if the hub itself made it, as the engine has died: of those clients hear otherwise.
        """
        if "msg_id" not in (found["result_header"] or {}):
            return b""
        message = self.session.msg(kind, content=found["result_content"])
        # an id of its own: a client that has had these bytes before breaks on their signature
        own_id = {"msg_id": message["header"]["msg_id"]}
        message["header"].update({**found["result_header"], **own_id})
        message["parent_header"] = found["header"]
        message["metadata"] = found["result_metadata"] or {}
        return zmtp.message([*self.session.serialize(message), *map(bytes, buffers)])

    def reply(self, msg_id: str, kind: str, content: Mapping[str, Any]) -> bytes:
        """Return a reply of the hub to this request, as bytes for a client's connection."""
        return self._message(kind, content, {"msg_id": msg_id})

    def notification(self, kind: str, **content: Any) -> bytes:
        """Return a message, as bytes, of the hub to all clients."""
        return self._message(kind, content, {})

    def printed(self, header: Mapping[str, Any], text: str) -> bytes:
        """Return a message, as bytes, that has `text` on the standard error of the request with
        this header."""
        return self._message("stream", {"name": "stderr", "text": text}, header)

    def changed(self, message: list[bytes], change: Callable[[Content], Content]) -> bytes:
        """Return a message with another content, as bytes; given as its frames."""
        start = message.index(zmtp.DELIMITER) + 1
        before, parts = message[: start + 1], message[start + 1 : start + 5]
        if content := parsed(parts[-1]):
            parts[-1] = self.session.pack(change(content))
            before[-1] = self.session.sign(parts)
        return zmtp.message([*before, *parts, *message[start + 5 :]])

    def closing(self) -> bytes:
        """Return the message, as bytes, that makes clients close."""
        return self._message("shutdown_notification", {"status": "ok"}, {})

    def _message(self, kind: str, content: Mapping[str, Any], parent: Mapping[str, Any]) -> bytes:
        message = self.session.msg(kind, content=dict(content))
        message["parent_header"] = dict(parent)
        return zmtp.message(self.session.serialize(message))
