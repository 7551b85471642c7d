"""JSON as Azure's services read it: Newtonsoft's reader takes more than the standard allows.

`az deployment group create` relies on it: it sends a template file as it is, comments included,
behind a member name without quotes. No parser for JSON5 takes all of that, strings of several
lines above all; here the text is turned into JSON, and Python's parser does the rest.
"""

from __future__ import annotations

import json
import re

# What is not closed is matched up to the end, and stays: a search that gave it up would begin again
# at the next character, and take hours for a body of some megabytes.
STRING_OR_COMMENT = re.compile(
    r"(?:\"(?:[^\"\\]|\\.)*(?P<double>\")?|'(?:[^'\\]|\\.)*(?P<single>')?)"
    r"|//[^\n]*|/\*(?:[^*]|\*(?!/))*(?P<end>\*/)?",
    re.DOTALL,
)
STRING_NAME_OR_COMMA = re.compile(
    r"\"(?:[^\"\\]|\\.)*\"?"
    r"|(?P<name>(?<![\w.$])[A-Za-z_$][\w$]*)(?=\s*:)|(?P<comma>,)(?=\s*[\]}])",
    re.DOTALL,
)
ESCAPE_OR_CONTROL = re.compile(r"\\.|[\t\n\r]|\"", re.DOTALL)


def to_json(text: str) -> str:
    """Return the text as JSON: no comments, quotes as they must be, no comma before an end.

    What is wrong in other ways stays as it is.
    """
    plain = STRING_OR_COMMENT.sub(_string_or_space, text)
    return STRING_NAME_OR_COMMA.sub(_quoted_or_left_out, plain)


def _string_or_space(match: re.Match[str]) -> str:
    text = match[0]
    if match["double"] or match["single"]:
        return f'"{ESCAPE_OR_CONTROL.sub(_in_string, text[1:-1])}"'
    is_comment = text.startswith("//") or match["end"]
    return " " if is_comment else text


def _quoted_or_left_out(match: re.Match[str]) -> str:
    if match["comma"]:
        return ""
    return json.dumps(match["name"]) if match["name"] else match[0]


def _in_string(match: re.Match[str]) -> str:
    found = match[0]
    if found == "\\'":
        return "'"
    if found == '"':
        return '\\"'
    return found if found.startswith("\\") else f"\\u{ord(found):04x}"
