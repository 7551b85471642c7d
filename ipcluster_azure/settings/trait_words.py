"""What traitlets finds wrong with a value, in words for whoever set it."""

import difflib
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from traitlets import Bool, Dict, Enum, List, TraitType, Unicode, Union
from traitlets.config import Config
from traitlets.config.loader import DeferredConfig, LazyConfigValue

LONGEST_VALUE = 60  # characters shown of a value that is refused
# "The 'n' trait of a Cluster instance expected an int, not the str 'abc'."
EXPECTED = re.compile(
    r"The '(?P<name>\w+)' trait of an? (?P<owner>\w+) instance expected (?P<kind>.+), "
    r"not the \w+ (?P<value>.+)\.$",
    re.DOTALL,
)
# "The value of the 'n' trait of an Engines instance should not be less than 1, but a value of 0 was
# specified"
TOO_SMALL = re.compile(
    r"The value of the '(?P<name>\w+)' trait of an? (?P<owner>\w+) instance should not be "
    r"less than (?P<least>\S+), but a value of (?P<value>\S+) was specified"
)
KINDS = {"an int": "a whole number", "a float": "a number", "a unicode string": "a text"}


def first_refused(
    values: Mapping[str, Any], traits: Mapping[str, TraitType[Any, Any]], owner: Any
) -> str:
    """Say which of the configured `values` its trait refuses, and what it may be; empty if none."""
    for name, value in values.items():
        if name not in traits or isinstance(value, LazyConfigValue | Config):
            continue
        try:
            if isinstance(value, DeferredConfig):  # from the command line: text, not yet a value
                value = value.get_value(traits[name])
            traits[name]._validate(owner, value)
        except Exception:
            refusal = f"{name} must be {possible(traits[name])}, not {shown(value)}."
            return refusal + _close(traits[name], value)
    return ""


def possible(trait: TraitType[Any, Any]) -> str:
    """Say what a trait's value may be."""
    if isinstance(trait, Enum):
        return " or ".join(repr(value) for value in trait.values or ())
    if isinstance(trait, Union):
        return " or ".join(possible(each) for each in trait.trait_types)
    if isinstance(trait, List):
        return "a list of texts"
    if isinstance(trait, Dict):
        if trait._value_trait is None:
            return "a dictionary, such as {'properties': {}}"
        return "texts by name, such as {'team': 'physics'}"
    if isinstance(trait, Bool):
        return "True or False"
    return "a text" if isinstance(trait, Unicode) else str(trait.info())


def shown(value: Any) -> str:
    """Return a value as Python writes it, cut off where it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        text = "a number of thousands of digits"
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def _close(trait: TraitType[Any, Any], value: Any) -> str:
    """Ask whether another of an Enum's values was meant."""
    if not isinstance(trait, Enum) or not isinstance(value, str):
        return ""
    by_lower = {str(each).lower(): each for each in trait.values or ()}
    close = difflib.get_close_matches(value.lower(), by_lower, n=1)
    return "".join(f" Did you mean {by_lower[found]!r}?" for found in close)


def in_words(message: str, names: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return one of traitlets' own messages in words, or as it is if it is none that is known.

    `names` says by trait what the user calls it; without, it is Class.trait.
    """
    expected, too_small = EXPECTED.fullmatch(message), TOO_SMALL.fullmatch(message)
    if (found := expected or too_small) is None:
        return message
    name = names.get(found["name"], f"{found['owner']}.{found['name']}")
    if expected is None:
        return f"{name} must be at least {found['least']}, not {found['value']}."
    kinds = found["kind"].split(" or ")
    words = " or ".join(KINDS.get(kind, kind) for kind in kinds if kind != "None")
    return f"{name} must be {words}, not {found['value']}."
