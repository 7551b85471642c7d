"""How a setting is declared: a field of `Settings` (values.py) that carries the trait users set."""

from dataclasses import field
from typing import Any

from traitlets import TraitType, Union


def setting(trait: TraitType[Any, Any], help: str) -> Any:
    """Return a field of `Settings` that users set as `trait`, with its default and this `help`."""
    trait.help = trait.__doc__ = help
    return field(metadata={"trait": trait.tag(config=True)})


def frozen(trait: TraitType[Any, Any], value: Any) -> Any:
    """Return what a field of `Settings` holds for its trait's `value`: a tuple for a list, also
    where users may give a single text instead of a list of one."""
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(trait, Union) else value
