"""The requirements of the user's, and ipyparallel, as uv takes them: named, with URLs of wheels."""

import importlib.metadata
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from ..errors import ConfigurationError
from .carry import Carrier
from .installed import Installed
from .lock import markers_of
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
        texts.append(f"{IPYPARALLEL}=={version}")
    markers = markers_of(target)
    rules = [_requirement(text, carrier) for text in texts]
    return [rule for rule in rules if rule.marker is None or rule.marker.evaluate(markers)]


def clashes(rule: Requirement, name: str, version: str) -> bool:
    """Whether it is about a package of this name, and excludes this version of it."""
    if canonicalize_name(rule.name) != name:
        return False
    return bool(rule.url) or not rule.specifier.contains(version, prereleases=True)


def _requirement(text: str, carrier: Carrier) -> Requirement:
    try:
        rule = Requirement(text if _is_named(text) else f"unnamed @ {text.strip()}")
    except InvalidRequirement as error:
        raise ConfigurationError(f"requirements: {text!r}: {str(error).splitlines()[0]}") from None
    if rule.url is None:
        return rule
    path = unquote(urlsplit(rule.url).path)
    if path.endswith(".whl") and not rule.url.startswith("git+"):
        file_name = path.rpartition("/")[2]
    else:
        source = f"{rule.name} @ {rule.url}" if _is_named(text) else rule.url
        wheel = carrier.built(source)
        file_name, rule.url = wheel.name, wheel.uri
    if not _is_named(text):
        rule.name = parse_wheel_filename(file_name)[0]
    return rule


def _is_named(text: str) -> bool:
    return "://" not in text.partition("@")[0]
