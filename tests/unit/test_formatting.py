"""What users and their scripts are shown."""

import re
import subprocess
import sys

import pexpect

from ipcluster_azure.formatting import counted, printable, table

HEADINGS = ["NAME", "STATE", "OWNER"]
LONG = "ipp-" + "a-very-long-name-" * 12
ROWS = [[LONG, "left behind", "ann@example"], ["ipp-1", "running", "[red]bob[/red] :smile:"]]
SHOW = f"from ipcluster_azure.formatting import table; print(table({HEADINGS}, {ROWS}))"


def test_what_goes_into_a_pipe_is_plain_and_complete() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHOW],
        # which would make a terminal's output of it, and a narrow one
        env={"FORCE_COLOR": "1", "COLUMNS": "40"},
        capture_output=True,
        text=True,
        check=True,
    )
    gap = " " * (len(LONG) - 5)
    assert done.stdout.splitlines() == [
        f"NAME {gap}  STATE        OWNER",
        f"{LONG}  left behind  ann@example",
        f"ipp-1{gap}  running      [red]bob[/red] :smile:",
    ]


def test_a_terminal_s_width_is_kept_and_nothing_is_left_out() -> None:
    shown = pexpect.run(
        f"{sys.executable} -c '{SHOW.replace(chr(39), chr(34))}'",
        dimensions=(24, 60),
        env={"TERM": "xterm"},
    ).decode()
    heading, *lines = re.sub(r"\x1b\[[0-9]*m", "", shown).split("\r\n")
    assert all(len(line) <= 60 for line in lines)
    first_column = "".join(line[: heading.index("STATE")].strip() for line in lines)
    assert first_column == f"{LONG}ipp-1"


def test_columns_are_aligned_by_the_width_that_is_seen() -> None:
    lines = table(["NAME", "X"], [["名前", "1"], ["nom", "2"]]).splitlines()
    assert lines == ["NAME  X", "名前  1", "nom   2"]


def test_no_control_character_is_shown() -> None:
    assert printable("a\x1b[2Jb\nc\u202e") == "a?[2Jb?c?"
    assert table(["NAME"], [["a\x1b[2Jb\r\nc"]]).splitlines() == ["NAME", "a?[2Jb??c"]


def test_counted() -> None:
    assert [counted(n, "machine") for n in (0, 1, 2)] == ["0 machines", "1 machine", "2 machines"]
