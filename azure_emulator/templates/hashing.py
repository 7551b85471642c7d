"""Azure's deterministic hashes: uniqueString, guid, and the hash of a template."""

from __future__ import annotations

import json
import uuid
from typing import Any

GUID_NAMESPACE = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")  # Azure's, documented
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
WORD = 0xFFFFFFFF
C1, C2 = 0x239B961B, 0xAB0E9789


def unique_string(*values: str) -> str:
    """Return 13 characters, the same as Azure's for the same values."""
    rest = murmur_64("-".join(values).encode())
    text = ""
    for _ in range(13):
        text += ALPHABET[rest >> 59]
        rest = (rest << 5) & 0xFFFFFFFFFFFFFFFF
    return text


def guid(*values: str) -> str:
    return str(uuid.uuid5(GUID_NAMESPACE, "-".join(values)))


def template_hash(template: Any) -> str:
    """Return a template's hash, which differs from Azure's: that one normalises templates first."""
    return str(murmur_64(json.dumps(template, separators=(",", ":")).upper().encode()))


def murmur_64(data: bytes) -> int:
    """MurmurHash3 in the 64-bit form that Azure uses: two lanes of 32 bits."""
    low = high = 0
    whole = len(data) - len(data) % 8
    for start in range(0, whole, 8):
        low ^= _mixed(_word(data, start), C1, 15, C2)
        low = ((_rotated(low, 19) + high) * 5 + 0x561CCD1B) & WORD
        high ^= _mixed(_word(data, start + 4), C2, 17, C1)
        high = ((_rotated(high, 13) + low) * 5 + 0x0BCAA747) & WORD
    if len(data) > whole:
        low ^= _mixed(_word(data, whole), C1, 15, C2)
        high ^= _mixed(_word(data, whole + 4), C2, 17, C1)
    low, high = low ^ len(data), high ^ len(data)
    low = (low + high) & WORD
    high = (high + low) & WORD
    low, high = _finished(low), _finished(high)
    low = (low + high) & WORD
    return ((high + low) & WORD) << 32 | low


def _word(data: bytes, start: int) -> int:
    return int.from_bytes(data[start : start + 4], "little")


def _rotated(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (32 - bits))) & WORD


def _mixed(value: int, first: int, bits: int, second: int) -> int:
    return (_rotated((value * first) & WORD, bits) * second) & WORD


def _finished(value: int) -> int:
    value = ((value ^ (value >> 16)) * 0x85EBCA6B) & WORD
    value = ((value ^ (value >> 13)) * 0xC2B2AE35) & WORD
    return value ^ (value >> 16)
