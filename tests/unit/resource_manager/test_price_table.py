"""tools/price_table.py makes a table from the list of prices, for where nobody may ask for them."""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from azure_emulator.client import EmulatorInfo
from ipcluster_azure.resource_manager import price_table
from ipcluster_azure.resource_manager.price_table import prices_in_table

ROOT = Path(__file__).parents[3]


def _make(emulator: EmulatorInfo, *words: str) -> "subprocess.CompletedProcess[str]":
    where = (f"--endpoint={emulator.endpoint}", f"--ca-file={emulator.ca_file}")
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / "price_table.py"), *words, *where],
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_table_is_what_the_list_says(
    emulator: EmulatorInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "retail_prices.json"
    done = _make(emulator, "--location=East US", "--location=westeurope", f"--output={file}")
    assert done.returncode == 0, done.stderr
    assert "in 2 regions" in done.stdout
    table = json.loads(file.read_text())
    assert (table["asked"], table["source"]) == (date.today().isoformat(), "the emulator")
    monkeypatch.setattr(price_table, "tables", lambda: [tmp_path / "none", file])
    for location in ("eastus", "westeurope"):
        found = prices_in_table(location)
        assert len(found.machines) > 100
        assert found.machines["standard_d4s_v5"] == {"Regular": 0.04, "Spot": 0.008}
        assert found.disks["E4"] == pytest.approx(3.2)
        assert found.address == 0.01
        assert found.source == f"a table of {date.today()}"


def test_no_table_is_made_of_nothing(emulator: EmulatorInfo, tmp_path: Path) -> None:
    file = tmp_path / "retail_prices.json"
    done = _make(emulator, "--location=nowhere", f"--output={file}")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "nothing was written: the emulator has no prices of virtual machines in" in line
    assert not file.exists()


def test_no_table_of_invented_figures_comes_with_the_package() -> None:
    own = price_table.tables()[-1]
    assert not own.exists() or json.loads(own.read_text())["source"] == "prices.azure.com"
