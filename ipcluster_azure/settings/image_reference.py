"""The forms in which Azure names an image, told apart and taken to pieces. Pure."""

import re
from dataclasses import dataclass

from ..errors import ConfigurationError

MARKETPLACE, OWN, GALLERY = "marketplace", "own", "gallery"
COMMUNITY, SHARED = "community", "shared"
LATEST = "latest"
PART = r"[^/:?#%\s]+"
IN_GROUP = rf"/subscriptions/{PART}/resourceGroups/{PART}/providers/Microsoft\.Compute"
VERSION = rf"(/versions/(?P<version>{PART}))?"
IN_GALLERY = rf"/(?P<gallery>{PART})/images/(?P<image>{PART}){VERSION}"
URN = ("publisher", "offer", "sku", "version")
FORMS = {
    MARKETPLACE: ":".join(f"(?P<{part}>{PART})" for part in URN),
    OWN: rf"{IN_GROUP}/images/{PART}",
    GALLERY: rf"(?P<definition>{IN_GROUP}/galleries/{PART}/images/{PART}){VERSION}",
    COMMUNITY: rf"/CommunityGalleries{IN_GALLERY}",
    SHARED: rf"/SharedGalleries{IN_GALLERY}",
}


@dataclass(frozen=True)
class ImageReference:
    """An image's name; `kind` is a key of FORMS, `parts` are what the form's pattern names."""

    text: str
    kind: str
    parts: dict[str, str]

    @property
    def version(self) -> str:
        """The version that is asked for; "latest" where none is."""
        version = self.parts.get("version", LATEST)
        return LATEST if version.lower() == LATEST else version


def parse_image(text: str) -> ImageReference:
    """Take an image's name apart. Raises ConfigurationError if it has none of Azure's forms."""
    for kind, pattern in FORMS.items():
        if match := re.fullmatch(pattern, text, re.IGNORECASE):
            parts = {name: part for name, part in match.groupdict().items() if part}
            return ImageReference(text, kind, parts)
    raise ConfigurationError(
        f"image {text!r} is neither publisher:offer:sku:version nor the id of an image: "
        "/subscriptions/S/resourceGroups/G/providers/Microsoft.Compute/images/I or "
        ".../galleries/L/images/I[/versions/V], /CommunityGalleries/L/Images/I[/Versions/V] or "
        "/SharedGalleries/L/Images/I[/Versions/V]. `az vm image list --output table` and `az sig "
        "image-definition list -g G -r L --query [].id` print some."
    )
