"""$filter of the lists of groups and resources: what it says, and whether something fits it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from .errors import ArmError

# name -> what the listed thing has of it; "tags" is what tagName and tagValue ask for.
Facts = Mapping[str, str]
Tags = Mapping[str, str]
Test = Callable[[Facts, Tags], bool]

_TEXT = r"'(?P<text>(?:[^']|'')*)'"
_COMPARISON = re.compile(rf"\s*(?P<name>\w+)\s+(?P<operator>eq|ne)\s+{_TEXT}\s*", re.IGNORECASE)
_SUBSTRING = re.compile(rf"\s*substringof\(\s*{_TEXT}\s*,\s*(?P<name>\w+)\s*\)\s*", re.IGNORECASE)
_AND = re.compile(r"and\s", re.IGNORECASE)
_TAG_NAMES = ("tagname", "tagvalue")


def parse(text: str | None, names: tuple[str, ...]) -> Test:
    """Return a test for resources that $filter's text describes; raises ARM's refusal.

    names: what can be asked for beside tags.
    """
    if not text:
        return lambda facts, tags: True
    tests: list[Test] = []
    tag: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _COMPARISON.match(text, at) or _SUBSTRING.match(text, at)
        if match is None:
            raise _invalid(text)
        name, value = match["name"].lower(), match["text"].replace("''", "'")
        if name in _TAG_NAMES and match.re is _COMPARISON and match["operator"].lower() == "eq":
            tag[name] = value
        elif name in names:
            tests.append(_test(name, value, match))
        else:
            raise _invalid(text)
        at = match.end()
        following = _AND.match(text, at)
        if at < len(text) and not (following and following.end() < len(text)):
            raise _invalid(text)
        at = following.end() if following else at
    if tag:
        # As Azure says, tags cannot be combined with anything else.
        if tests or "tagname" not in tag:
            raise _invalid(text)
        return lambda facts, tags: _tagged(tags, tag)
    return lambda facts, tags: all(test(facts, tags) for test in tests)


def _test(name: str, value: str, match: re.Match[str]) -> Test:
    wanted = value.lower()
    if match.re is _SUBSTRING:
        return lambda facts, tags: wanted in facts[name].lower()
    equal = match["operator"].lower() == "eq"
    return lambda facts, tags: (facts[name].lower() == wanted) == equal


def _tagged(tags: Tags, wanted: Mapping[str, str]) -> bool:
    lower = {name.lower(): value for name, value in tags.items()}
    name = wanted["tagname"].lower()
    if "tagvalue" not in wanted:
        return name in lower
    return lower.get(name) == wanted["tagvalue"]


def _invalid(text: str) -> ArmError:
    message = f"Invalid $filter '{text}' specified in the query string."
    return ArmError(400, "InvalidFilterInQueryString", message)
