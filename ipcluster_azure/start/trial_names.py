"""Looks through a configuration for what traitlets passes over: names that don't exist, and values
of classes that only other processes make. Runs in the process of trial.py.
"""

import difflib
from collections.abc import Iterable, Iterator
from typing import Any

from traitlets import TraitError
from traitlets.config import Config
from traitlets.config.loader import DeferredConfig, LazyConfigValue

from ..settings.trait_words import in_words

CLOSE = 0.85  # of difflib's ratio: IPControler is a slip, InteractiveShellApp is something else
OWN = "ipyparallel."  # its version is the same on the machines, so a name unknown here is so there


def classes_of(app: Any, others: Iterable[type]) -> dict[str, type[Any]]:
    """Return all classes that a section of an application's configuration may be about, by name."""
    found: dict[str, type[Any]] = {}
    for kind in (type(app), *app.classes, *others):
        for each in kind.__mro__:
            if hasattr(each, "class_traits"):
                found.setdefault(each.__name__, each)
    return found


def faults(config: Config, classes: dict[str, type[Any]], old: Iterable[str]) -> Iterator[str]:
    """Yield what is wrong with a configuration, in words; `old` are names of classes that were."""
    for name, section in config.items():
        if not isinstance(section, Config) or name in old:
            continue
        if name not in classes:
            for close in difflib.get_close_matches(name, classes, n=1, cutoff=CLOSE):
                yield f"there is no c.{name} to configure (did you mean c.{close}?)"
            continue
        yield from _section_faults(classes[name], section, classes)


def _section_faults(
    kind: type[Any], section: Config, classes: dict[str, type[Any]]
) -> Iterator[str]:
    traits = kind.class_traits(config=True)
    make: Any = kind.__new__
    owner = make(kind)  # values are checked for it, but nothing of it is started
    for name, value in section.items():
        if isinstance(value, LazyConfigValue) or name in classes:
            continue
        if name in traits:
            yield from _value_fault(kind, owner, traits[name], value)
        elif not isinstance(value, Config) and kind.__module__.startswith(OWN):
            close = difflib.get_close_matches(name, traits, n=1)
            hint = "".join(f" (did you mean {each}?)" for each in close)
            yield f"c.{kind.__name__}.{name} is not a setting{hint}"


def _value_fault(kind: type[Any], owner: Any, trait: Any, value: Any) -> Iterator[str]:
    try:
        if isinstance(value, DeferredConfig):  # from the command line: text, not yet a value
            value = value.get_value(trait)
        if hasattr(trait, "validate"):
            trait.validate(owner, value)
    except TraitError as error:
        yield in_words(str(error)).rstrip(".")
