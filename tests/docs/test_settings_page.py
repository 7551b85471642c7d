"""The page of settings says what the traits say."""

import subprocess
import sys

import pytest

import generate_settings
from ipcluster_azure import errors
from ipcluster_azure.settings.traits import setting_names

from .markdown import ROOT, text_of

GENERATOR = ROOT / "docs" / "generate_settings.py"
PAGE = ROOT / "docs" / "reference" / "settings.md"


def test_the_page_is_up_to_date() -> None:
    again = "run: python docs/generate_settings.py --write"
    assert text_of(PAGE) == generate_settings.page(), again


def test_the_generator_prints_the_page() -> None:
    done = subprocess.run([sys.executable, str(GENERATOR)], capture_output=True, check=True)
    assert done.stdout.decode("utf-8").splitlines() == text_of(PAGE).splitlines()


@pytest.mark.parametrize("name", [*setting_names(), "job_file_name"])
def test_every_setting_has_a_row_with_a_meaning(name: str) -> None:
    (row, *_) = [line for line in text_of(PAGE).splitlines() if line.startswith(f"| `{name}` |")]
    assert len(row.split(" | ")[-1].strip(" |")) > 10


def test_every_error_is_explained() -> None:
    page = text_of(ROOT / "docs" / "how-to" / "troubleshooting.md")
    classes = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and value.__module__ == errors.__name__
    ]
    missing = {kind.__name__ for kind in classes if f"`{kind.__name__}`" not in page}
    assert missing <= {"AzureLauncherError"}
    assert "AzureLauncherError" in page
