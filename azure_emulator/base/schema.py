"""Checks request bodies against the SDK's types and brings them into their spelling.

As in Azure, member names and enum words are matched without regard to case, and null is the same
as a member left out.

Read-only members are ignored when the resource exists, since clients read a resource, change it
and write it back whole; of 1,406 recorded bodies two did so (a peering's etag and
provisioningState), and Azure took them. The same holds in anything that has an id of its own: it
was read from somewhere (recorded: a new NIC with a whole public IP). No recorded creation sets
one otherwise; there they are refused.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from . import errors, schema_types
from . import schema_corrections as corrections
from .errors import ArmError
from .schema_types import Member, Schemas

Json = dict[str, Any]

# patch: anything may be left out. reference: only the id is needed.
Write = Literal["create", "replace", "patch", "reference"]

SCALARS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
# Texts that are taken for booleans: the template of `az vmss create` has such ones.
TRUTHS = {"true": True, "false": False}
RESERVED_IN_TAG_NAMES = re.compile(r"[<>%&\\?/\x00-\x1f]")
MAX_TAGS, MAX_TAG_NAME, MAX_TAG_VALUE = 50, 512, 256


def write_to(existing: object) -> Write:
    """Return which kind of write a PUT is, given the resource that has the name already."""
    return "replace" if existing else "create"


class Problem(Exception):
    """What is wrong with a body; kind: unknown, missing, missing id, read-only or type."""

    def __init__(self, kind: str, path: str, message: str) -> None:
        super().__init__(f"{message} Path '{path}'.")
        self.kind = kind
        self.path = path


def normalise(provider: str, kind: str, value: Any, write: Write = "create") -> Any:
    """Return a copy of `value` in the schema's spelling, without read-only members.

    Raises Problem.
    """
    return _Checker(schema_types.load(provider), write).value(kind, value, "")


class _Checker:
    def __init__(self, schemas: Schemas, write: Write) -> None:
        self._schemas = schemas
        self._write = write

    def value(self, kind: str, value: Any, path: str) -> Any:
        if kind == "any":
            return value
        if kind.startswith("[]"):
            return self._list(kind[2:], value, path)
        if kind.startswith("{}"):
            return self._map(kind[2:], value, path)
        if kind in SCALARS:
            if kind == "boolean" and isinstance(value, str) and value.lower() in TRUTHS:
                return TRUTHS[value.lower()]
            right = isinstance(value, SCALARS[kind])
            if not right or (isinstance(value, bool) and kind != "boolean"):
                raise _wrong_type(value, kind, path)
            return value
        words = self._schemas.words(kind)
        if words is not None:
            return self._word(kind, words, value, path)
        return self._object(kind, value, path)

    def _list(self, kind: str, value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise _wrong_type(value, f"List<{kind}>", path)
        return [self.value(kind, item, f"{path}[{at}]") for at, item in enumerate(value)]

    def _map(self, kind: str, value: Any, path: str) -> Json:
        """Check an object with any names; an item of null stays.

        In identity.userAssignedIdentities it removes an identity (recorded).
        """
        if not isinstance(value, dict):
            raise _wrong_type(value, f"Dictionary<string,{kind}>", path)
        return {
            name: item
            if item is None and kind not in SCALARS
            else self.value(kind, item, f"{path}.{name}")
            for name, item in value.items()
        }

    def _word(self, kind: str, words: list[str], value: Any, path: str) -> str:
        if isinstance(value, str):
            for word in words:
                if value.lower() == word.lower():
                    return word
            if self._schemas.is_open(kind):
                return value
        raise _wrong_type(value, kind, path)

    def _object(self, kind: str, value: Any, path: str) -> Json:
        if not isinstance(value, dict):
            raise _wrong_type(value, kind, path)
        members = self._schemas.members(kind)
        self._check_required(kind, value, path)
        result: Json = {}
        for name, item in value.items():
            here = f"{path}.{name}" if path else name
            member = members.get(name.lower())
            if member is None:
                message = f"Could not find member '{name}' on object of type '{kind}'."
                raise Problem("unknown", here, message)
            if item is None:
                continue
            if member.read_only:
                self._check_read_only(member, value, here)
            else:
                result[member.name] = self._member(member, item, here)
        return result

    def _member(self, member: Member, item: Any, path: str) -> Any:
        if member.reference:
            return _Checker(self._schemas, "reference").value(member.kind, item, path)
        checked = self.value(member.kind, item, path)
        if member.name == "tags":
            _check_tags(checked)
        return checked

    def _check_read_only(self, member: Member, owner: Json, path: str) -> None:
        nested = "." in path
        was_read = nested and any(name.lower() == "id" and owner[name] for name in owner)
        if self._write == "create" and not member.ignored and not was_read:
            message = f"The property '{member.name}' is read-only and cannot be set."
            raise Problem("read-only", path, message)

    def _check_required(self, kind: str, value: Json, path: str) -> None:
        if self._write == "patch":
            return
        members = self._schemas.members(kind)
        keeps = self._write == "replace" and kind in corrections.KEEPING
        reference = self._write == "reference" and "id" in members
        given = {name.lower() for name, item in value.items() if item is not None}
        for member in members.values():
            if keeps and member.name == "properties":
                continue
            wanted = member.name == "id" if reference else member.required
            if wanted and member.name.lower() not in given:
                here = f"{path}.{member.name}" if path else member.name
                kind = "missing id" if member.name == "id" else "missing"
                raise Problem(kind, here, f"Required parameter '{here}' is missing (null).")


def _wrong_type(value: Any, kind: str, path: str) -> Problem:
    shown = type(value).__name__ if isinstance(value, dict | list) else str(value)[:80]
    return Problem("type", path, f"Error converting value {shown!r} to type '{kind}'.")


def _check_tags(tags: dict[str, str]) -> None:
    if len(tags) > MAX_TAGS:
        raise ArmError(
            400,
            "InvalidTags",
            "The tags provided are invalid. The maximum number of tags is "
            f"'{MAX_TAGS}', not {len(tags)}.",
        )
    for name, text in tags.items():
        if not name or RESERVED_IN_TAG_NAMES.search(name):
            raise ArmError(
                400,
                "InvalidTagNameCharacters",
                f"The tag names '{name}' have reserved characters '<,>,%,&,\\,?,/' or control "
                "characters.",
                headers=errors.GATEWAY,
            )
        if len(name) > MAX_TAG_NAME or len(text) > MAX_TAG_VALUE:
            message = f"The tag '{name[:60]}' or its value is too long."
            raise ArmError(400, "InvalidTagNameOrValue", message)


def _in_envelope(problem: Problem, kind: str, provider: str) -> bool:
    """Return whether ARM itself refuses this, before it asks the resource provider."""
    members = schema_types.load(provider).members(kind)
    first = problem.path.split(".")[0].split("[")[0].lower()
    return ("properties" in members or "tags" in members) and first != "properties"


def _arm_error(problem: Problem) -> ArmError:
    """Return the refusal in ARM's own wording."""
    if problem.kind == "missing" and problem.path == "location":
        return errors.location_required()
    return errors.invalid_content(str(problem))


def check_resources(kind: str, body: Json, write: Write = "create") -> Json:
    """Return the normalised body of a resource group; raises ARM's refusal."""
    try:
        return dict(normalise("resources", kind, body, write))
    except Problem as problem:
        raise _arm_error(problem) from None


def check_management(kind: str, body: Json, write: Write = "create") -> Json:
    """Return the normalised body of a deployment, an identity or a role assignment."""
    try:
        return dict(normalise("management", kind, body, write))
    except Problem as problem:
        raise _arm_error(problem) from None


def check_compute(kind: str, body: Json, write: Write = "create") -> Json:
    """Return the normalised body; refuse it in Compute's words, whose target is the path."""
    try:
        return dict(normalise("compute", kind, body, write))
    except Problem as problem:
        if problem.kind.startswith("missing") and problem.path != "location":
            raise errors.missing_parameter(problem.path.rsplit(".", 1)[-1]) from None
        if _in_envelope(problem, kind, "compute"):
            raise _arm_error(problem) from None
        if problem.kind == "read-only":
            raise errors.invalid_parameter(problem.path, str(problem)) from None
        raise ArmError(400, "BadRequest", str(problem), target=problem.path) from None


def check_network(kind: str, body: Json, write: Write = "create") -> Json:
    """Return the normalised body; refuse it in Network's words, with the reason in details."""
    try:
        return dict(normalise("network", kind, body, write))
    except Problem as problem:
        if _in_envelope(problem, kind, "network"):
            raise _arm_error(problem) from None
        code = {"missing": "MissingJsonMember", "missing id": "MissingJsonReferenceId"}
        message = str(problem)
        if problem.kind == "missing id":
            path = problem.path.rsplit(".", 1)[0]
            message = f"Value for reference id is missing. Path {path}."
        detail = {"code": code.get(problem.kind, "InvalidJson"), "message": message, "details": []}
        raise ArmError(
            400, "InvalidRequestFormat", "Cannot parse the request.", details=[detail]
        ) from None
