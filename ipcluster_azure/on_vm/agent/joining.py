"""What the guard answers machines that join by themselves, as no launcher has told it of them.

That is how the machines of a job file come to a cluster (boot_engines.py): all of a scale set boot
with the same words, so each asks the guard how many of the set's engines are its own, and where it
gets the rest. Linux, standard library.
"""

from __future__ import annotations

from .processes import Json
from .work_dir import WorkDir, read_json


class Joins:
    """Which machines have joined. `saved`: what `shown` gave an earlier guard, or nothing."""

    def __init__(self, work: WorkDir, saved: Json) -> None:
        self._work = work
        before = saved.get("joins", {})
        self._engines: dict[str, dict[str, int]] = before.get("engines", {})
        self._deletions: list[str] = before.get("deletions", [])

    def shown(self) -> Json:
        return {"joins": {"engines": self._engines, "deletions": self._deletions}}

    def answer(self, request: Json) -> Json:
        """Answer {"join": SET, "machine", "n", "most", "delete"}: a machine of a set of `n` engines
        that runs `most` of them at most, and the URL by which its set is deleted.

        {"engines", ...}: how many it is to run, the same whenever it asks, and D/offer.json;
        {"engines": null} as long as the controller has nothing to offer.
        """
        offer = read_json(self._work.offer_file)
        if not offer:
            return {"engines": None}
        members = self._engines.setdefault(str(request["join"]), {})
        machine = str(request["machine"])
        if machine not in members:
            left = int(request["n"]) - sum(members.values())
            members[machine] = max(0, min(int(request["most"]), left))
        if request["delete"] and request["delete"] not in self._deletions:
            self._deletions.append(str(request["delete"]))
        return {"engines": members[machine], **offer}

    def with_sets(self, settings: Json) -> Json:
        """Return the guard's settings, with the scale sets that have joined before what else is to
        be deleted: the controller's machine comes last, as it deletes."""
        first = [url for url in self._deletions if url not in settings["delete"]]
        return {**settings, "delete": [*first, *settings["delete"]]}
