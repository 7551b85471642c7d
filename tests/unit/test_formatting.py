"""What users and their scripts are shown."""

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


def _in_terminal(columns: int, headings: list[str], rows: list[list[str]]) -> list[str]:
    code = f"from ipcluster_azure.formatting import table; print(table({headings}, {rows}))"
    shown = pexpect.run(
        f"{sys.executable} -c '{code.replace(chr(39), chr(34))}'",
        dimensions=(24, columns),
        env={"TERM": "xterm"},
    )
    return [str(line) for line in shown.decode().split("\r\n")[:-1]]


def test_in_a_terminal_of_80_columns_no_word_is_broken() -> None:
    name, size = "ipp-trial-fe1351c3", "2 x Standard_D4s_v5"
    headings = ["NAME", "STATE", "AGE", "MACHINES", "USD/H", "OWNER", "GROUP", "HERE"]
    rows = [
        [name, "running", "1 min", size, "0.099", "root@vm", name, "yes"],
        ["ipp-1", "left behind", "3 h 12 min", "none", "?", "ann", "lab", "no"],
    ]
    assert _in_terminal(80, headings, rows) == [
        "NAME                STATE        AGE         MACHINES             USD/H  OWNER",
        "    GROUP               HERE",
        f"{name}  running      1 min       {size}  0.099  root@vm",
        f"    {name}  yes",
        "ipp-1               left behind  3 h 12 min  none                 ?      ann",
        "    lab                 no",
    ]


def test_a_terminal_s_width_is_used_up() -> None:
    rows = [["x" * 7, "y" * 4, "z" * 5]]
    assert _in_terminal(20, ["A", "B", "C"], rows)[1:] == ["xxxxxxx  yyyy  zzzzz"]
    assert _in_terminal(19, ["A", "B", "C"], rows)[2:] == ["xxxxxxx  yyyy", "    zzzzz"]


def test_columns_are_aligned_by_the_width_that_is_seen() -> None:
    lines = table(["NAME", "X"], [["名前", "1"], ["nom", "2"]]).splitlines()
    assert lines == ["NAME  X", "名前  1", "nom   2"]


def test_no_control_character_is_shown() -> None:
    assert printable("a\x1b[2Jb\nc\u202e") == "a?[2Jb?c?"
    assert table(["NAME"], [["a\x1b[2Jb\r\nc"]]).splitlines() == ["NAME", "a?[2Jb??c"]


def test_counted() -> None:
    assert [counted(n, "machine") for n in (0, 1, 2)] == ["0 machines", "1 machine", "2 machines"]
