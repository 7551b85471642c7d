"""The long description: README.md with links that work where the repository isn't at hand.

Everything else that the distribution says of itself is in setup.cfg.
"""

import configparser
import re
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
RELATIVE_LINK = re.compile(r"\]\((?![a-z]+:|#)([^()\s]+)\)")


def long_description() -> str:
    """README.md, its relative links led to the address that setup.cfg calls Source."""
    metadata = configparser.ConfigParser()
    metadata.read(HERE / "setup.cfg", encoding="utf-8")
    addresses = dict(
        line.split(" = ") for line in metadata["metadata"]["project_urls"].strip().splitlines()
    )
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    return RELATIVE_LINK.sub(rf"]({addresses['Source']}/blob/HEAD/\1)", readme)


setup(long_description=long_description(), long_description_content_type="text/markdown")
