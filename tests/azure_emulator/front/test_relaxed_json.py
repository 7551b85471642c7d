"""Request bodies that are JSON for Azure's services, though not for the standard."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from azure_emulator.front.relaxed_json import to_json

from ..cloud import Cloud, Site

BODIES: list[tuple[str, Any]] = [
    ("{a: 1, $b_2: 2}", {"a": 1, "$b_2": 2}),
    ("{'a': 'it\\'s \"so\"'}", {"a": 'it\'s "so"'}),
    ('{"a": "first\n\tsecond"}', {"a": "first\n\tsecond"}),
    ('{"a": [1, 2, ], "b": {"c": 1,},}', {"a": [1, 2], "b": {"c": 1}}),
    ('// x\n{"a": /* , */ 1 /* } */ } // {', {"a": 1}),
    ('{"u": "http://x//y", "v": "/* no */", "w": "a, ]"}', None),
    ("{a: true, null: null, true: false}", {"a": True, "null": None, "true": False}),
    ('{"a": 1.5e3, b: -2E-1}', {"a": 1500.0, "b": -0.2}),
    ('{"\\u00e4": "\\\\"}', {"ä": "\\"}),
    ("{properties: {template: // mine\n{\"x\": 'y',}}}", {"properties": {"template": {"x": "y"}}}),
]


@pytest.mark.parametrize(("text", "expected"), BODIES, ids=[row[0] for row in BODIES])
def test_what_it_means(text: str, expected: Any) -> None:
    """None: as Python reads it."""
    assert json.loads(to_json(text)) == (json.loads(text) if expected is None else expected)


@pytest.mark.parametrize(
    "text", ["{a 1}", '{"a": b}', '{"a": 1', "[1 2]", '{"a": "b}', "{'a: 1}", "{} /* x"]
)
def test_other_mistakes_stay_mistakes(text: str) -> None:
    with pytest.raises(ValueError, match=r"line|char"):
        json.loads(to_json(text))


@pytest.mark.parametrize(
    "part", ["/*", "/* ", "// ", ", ", "'", '"\\', "'\\", "{a", "$", "/* *", "a ", " :"]
)
def test_a_long_text_of_nothing_but_beginnings_takes_no_time(part: str) -> None:
    """0.02 s for each; a search that begins again at each part takes 20 s."""
    text = part * 20_000
    began = time.process_time()
    for odd in (text, f"{text}\\"):  # an escape of nothing
        to_json(odd)
    assert time.process_time() - began < 2


def test_the_server_reads_it_and_still_refuses_what_is_wrong(site: Site, arm: Cloud) -> None:
    path = site.provider("networkSecurityGroups", "loose")
    made = arm.call("PUT", path, b"{location: 'eastus', /* tags: */ tags: {'a': 'b',},}")
    assert made.status == 201, made
    assert made.body["tags"] == {"a": "b"}
    wrong = arm.call("PUT", path, b"{location 'eastus'}")
    assert (wrong.status, wrong.code) == (400, "InvalidRequestContent")
