"""The requirements of the user's, and ipyparallel, as uv takes them: named, with URLs of wheels."""

import importlib.metadata
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from ..errors import ConfigurationError
from .carry import Carrier, git_source, name_in
from .indexes import scrubbed
from .installed import Installed
from .lock import Wheel, markers_of
from .needs import holds
from .resolve import Source
from .selection import Selection, Target

IPYPARALLEL = "ipyparallel"


def wanted_of(
    selection: Selection, target: Target, installed: Installed, carrier: Carrier
) -> list[Requirement]:
    """Return those that apply there. What has to be built from a URL is built here.

    The machines run this process' ipyparallel, whatever else they get. Raises ConfigurationError
    for one that is none, or can't be built.
    """
    texts = list(selection.requirements)
    version = importlib.metadata.version(IPYPARALLEL)
    own = installed.named(IPYPARALLEL)
    if selection.python_lock or own is None or own.version != version:
        path = None
        if own is not None and own.version == version and not own.from_index:
            path = carrier.carried(own)
        texts.append(f"{IPYPARALLEL} @ {path.as_uri()}" if path else f"{IPYPARALLEL}=={version}")
    markers = markers_of(target)
    rules = [_requirement(text, carrier) for text in texts]
    return [rule for rule in rules if rule.marker is None or holds(rule.marker, markers)]


def clashes(rule: Requirement, name: str, version: str) -> bool:
    """Whether it is about a package of this name, and excludes this version of it."""
    if canonicalize_name(rule.name) != name:
        return False
    return bool(rule.url) or not rule.specifier.contains(version, prereleases=True)


def _requirement(text: str, carrier: Carrier) -> Requirement:
    named = _is_named(text)
    try:
        rule = Requirement(text if named else f"{name_in(text) or 'unnamed'} @ {text.strip()}")
    except InvalidRequirement as error:
        raise ConfigurationError(
            f"requirements: {scrubbed(text)!r}: {str(error).splitlines()[0]}"
        ) from None
    if rule.url is None:
        return rule
    file_name = unquote(urlsplit(rule.url).path).rpartition("/")[2]
    if rule.url.startswith("git+") or not file_name.endswith(".whl"):
        is_git = rule.url.startswith("git+")
        source = git_source(rule.url) if is_git else Source(archive=Wheel(file_name, "", rule.url))
        wheel = carrier.built(canonicalize_name(rule.name), "", source)
        file_name, rule.url = wheel.name, wheel.uri
    if not named:
        rule.name = parse_wheel_filename(file_name)[0]
    return rule


def _is_named(text: str) -> bool:
    return "://" not in text.partition("@")[0]
