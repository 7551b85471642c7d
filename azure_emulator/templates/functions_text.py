"""Template functions on strings."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any
from urllib.parse import quote, unquote, urljoin

from .hashing import guid, unique_string
from .signatures import function, refused
from .values import check_length, joined, text_of

PLACEHOLDER = re.compile(r"\{\{|\}\}|\{(\d{1,4})(?:,(-?\d{1,4}))?(?::([A-Za-z]\d{0,2}|[0#.,]+))?\}")

DATA_URI = re.compile(r"data:[^,]*?(?P<base64>;base64)?,(?P<data>.*)", re.IGNORECASE | re.DOTALL)


@function("concat", "array|string|int|bool", "array|string|int|bool*")
def concat(*parts: Any) -> Any:
    if isinstance(parts[0], list):
        if not all(isinstance(part, list) for part in parts):
            raise refused("concat", "The parameters must all be arrays or none of them.")
        return [item for part in parts for item in part]
    return joined([text_of(part) for part in parts])


@function("format", "string", "any*")
def format_(template: str, *values: Any) -> str:
    if re.search(r"[{}]", PLACEHOLDER.sub("", template)):
        raise refused("format", f"The format string '{template}' is not well formed.")
    shown: list[str] = []
    position = 0
    for match in PLACEHOLDER.finditer(template):
        shown += [template[position : match.start()], _placed(match, values)]
        position = match.end()
    return joined([*shown, template[position:]])


def _placed(match: re.Match[str], values: tuple[Any, ...]) -> str:
    if match[1] is None:
        return match[0][0]
    if int(match[1]) >= len(values):
        raise refused("format", f"There is no argument for the placeholder '{match[0]}'.")
    text = _in_format(values[int(match[1])], match[3] or "")
    width = int(match[2] or 0)
    return text.rjust(width) if width >= 0 else text.ljust(-width)


def _in_format(value: Any, specifier: str) -> str:
    """Format a number as .NET's D, F, N or X; other formats are not known here."""
    if not specifier or type(value) not in (int, float):
        return text_of(value)
    kind, digits = specifier[0], specifier[1:]
    if kind in "Dd" and type(value) is int:
        sign = "-" if value < 0 else ""
        return f"{sign}{str(abs(value)).zfill(int(digits or 0))}"
    if kind in "FfNn":
        return f"{value:{',' if kind in 'Nn' else ''}.{digits or 2}f}"
    if kind in "Xx" and type(value) is int:
        return f"{value & 0xFFFFFFFFFFFFFFFF:{kind}}".zfill(int(digits or 0))
    if set(specifier) == {"0"} and type(value) is int:
        return str(value).zfill(len(specifier))
    raise refused("format", f"The format '{specifier}' is not supported by this endpoint.")


@function("base64", "string")
def base64_(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()


@function("base64ToString", "string")
def base64_to_string(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        raise refused("base64ToString", f"The value '{text[:80]}' is not valid Base64.") from None


@function("toLower", "string")
def to_lower(text: str) -> str:
    return text.lower()


@function("toUpper", "string")
def to_upper(text: str) -> str:
    return text.upper()


@function("trim", "string")
def trim(text: str) -> str:
    return text.strip()


@function("padLeft", "string|int", "int", "string?")
def pad_left(value: Any, length: int, letter: str = " ") -> str:
    if len(letter) != 1:
        raise refused("padLeft", "The padding must be one character.")
    check_length(length)
    return text_of(value).rjust(length, letter)


@function("replace", "string", "string", "string")
def replace(text: str, old: str, new: str) -> str:
    if not old:
        raise refused("replace", "The text to replace must not be empty.")
    return joined(text.split(old), new)


@function("split", "string", "string|array")
def split(text: str, delimiters: Any) -> list[str]:
    every = [delimiters] if isinstance(delimiters, str) else delimiters
    if not all(isinstance(item, str) for item in every):
        raise refused("split", "The delimiters must be strings.")
    useful = [re.escape(item) for item in every if item]
    return re.split("|".join(useful), text) if useful else [text]


@function("join", "array", "string")
def join(items: list[Any], separator: str) -> str:
    return joined([text_of(item) for item in items], separator)


@function("substring", "string", "int", "int?")
def substring(text: str, start: int, length: int | None = None) -> str:
    end = len(text) if length is None else start + length
    if start < 0 or end < start or end > len(text):
        raise refused(
            "substring",
            "The index and length parameters must refer to a location within the string: index "
            f"'{start}', length '{length}', length of the string '{len(text)}'.",
        )
    return text[start:end]


@function("startsWith", "string", "string")
def starts_with(text: str, part: str) -> bool:
    return text.lower().startswith(part.lower())


@function("endsWith", "string", "string")
def ends_with(text: str, part: str) -> bool:
    return text.lower().endswith(part.lower())


@function("guid", "string", "string*")
def guid_(*values: str) -> str:
    return guid(*values)


@function("uniqueString", "string", "string*")
def unique_string_(*values: str) -> str:
    return unique_string(*values)


@function("uri", "string", "string")
def uri(base: str, relative: str) -> str:
    try:
        return urljoin(base, relative)
    except ValueError:
        raise refused("uri", f"'{base}' is not a valid URI.") from None


@function("uriComponent", "string")
def uri_component(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


@function("uriComponentToString", "string")
def uri_component_to_string(text: str) -> str:
    return unquote(text)


@function("dataUri", "string")
def data_uri(text: str) -> str:
    return f"data:text/plain;charset=utf8;base64,{base64_(text)}"


@function("dataUriToString", "string")
def data_uri_to_string(text: str) -> str:
    match = DATA_URI.fullmatch(text)
    if match is None:
        raise refused("dataUriToString", f"The value '{text[:80]}' is not a valid data URI.")
    return base64_to_string(match["data"]) if match["base64"] else unquote(match["data"])
