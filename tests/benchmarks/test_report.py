"""What the benchmarks share: turns, medians, tables, and pages of which one section is replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import __main__ as runner
from benchmarks import report
from benchmarks.report import Section, Table


def _section(name: str, figure: str) -> Section:
    table = Table(("what", "figure"))
    table.add("it", figure)
    return Section(name, f"Title of {name}", "How it was measured.", [table], ["What bounds it."])


def test_the_sides_take_turns_and_the_first_changes() -> None:
    order = []

    def side(name: str, number: int) -> str:
        order.append((name, number))
        return f"{name}{number}"

    sides = {"a": lambda number: side("a", number), "b": lambda number: side("b", number)}
    assert report.in_turns(sides, 3) == {"a": ["a0", "a1", "a2"], "b": ["b0", "b1", "b2"]}
    assert order == [("a", 0), ("b", 0), ("b", 1), ("a", 1), ("a", 2), ("b", 2)]


def test_a_figure_is_a_median_with_its_range() -> None:
    found = report.figure([3.0, 1.0, 10.0, 2.0, 4.0])
    assert found.median == 3.0
    assert str(found) == "3.0 s (1.0 to 10.0)"
    assert str(report.figure([1.0, 2.0], "", 2)) == "1.50 (1.00 to 2.00)"
    assert str(report.figure([0.25], "MB", 2)) == "0.25 MB"


@pytest.mark.parametrize(
    ("goal", "text"),
    [
        (report.at_most(1.0, 1.0, "s"), "at most 1.0 s: met"),
        (report.at_most(1.1, 1.0), "at most 1.0: **missed**"),
        (report.at_least(2.3, 2.3, "times faster"), "at least 2.3 times faster: met"),
        (report.at_least(2.2, 2.3), "at least 2.3: **missed**"),
    ],
)
def test_a_goal_says_whether_it_is_met(goal: report.Goal, text: str) -> None:
    assert str(goal) == text


def test_a_table_shows_its_goals() -> None:
    table = Table(("what", "this project"))
    table.add("a | b", report.figure([1.0]))
    table.add("stop", "20.0 s", goal=report.at_most(20.0, 15.0, "s", 0))
    assert table.markdown().splitlines() == [
        "| what | this project | goal |",
        "| --- | --- | --- |",
        "| a \\| b | 1.0 s |  |",
        "| stop | 20.0 s | at most 15 s: **missed** |",
    ]
    with pytest.raises(ValueError, match="3 cells"):
        table.add("one", "too", "many")


def test_a_section_names_computer_versions_and_missed_goals() -> None:
    section = _section("forked", "1")
    section.tables[0].add("late", "2", goal=report.at_most(2.0, 1.0))
    section.packages = ["other-project 1.2.3"]
    text = section.markdown()
    assert text.startswith("## Title of forked\n\nHow it was measured.\n\n| what | figure | goal |")
    assert "| goal |" not in _section("forked", "1").markdown()  # no row has one
    assert "What bounds it." in text
    assert "cores" in text
    assert "ipyparallel " in text
    assert text.endswith("other-project 1.2.3.*")
    assert section.missed == ["at most 1.0"]


def test_one_section_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    second, first, *_ = runner.MINUTES
    for name, text in ((first, "old figure"), (second, "other figure"), (first, "new figure")):
        runner.write(page, _section(name, text))
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Benchmarks\n")
    assert "old figure" not in text
    assert text.count("| it |") == 2
    assert text.index("other figure") < text.index("new figure")  # the page's order, not the runs'
    again = report.replaced(text, _section(first, "new figure"), list(runner.MINUTES))
    assert again == text


def test_every_benchmark_can_be_run_alone_and_quickly(capsys: pytest.CaptureFixture[str]) -> None:
    import importlib
    import inspect

    for name in runner.MINUTES:
        module = importlib.import_module(f"benchmarks.{name}")
        assert set(module.QUICK) <= set(inspect.signature(module.measure).parameters)
        with pytest.raises(SystemExit) as exit_info:
            report.run_alone(module.measure, ["--help"])
        assert exit_info.value.code == 0
        assert f"python -m benchmarks.{name}" in capsys.readouterr().out


def test_options_come_from_the_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers, several numbers, and switches."""
    seen = []

    def measure(
        rounds: int = 5, engines: tuple[int, ...] = (1, 8), scale: float = 0.2, dask: bool = True
    ) -> Section:
        seen.append((rounds, engines, scale, dask))
        return _section("x", "1")

    report.run_alone(measure, [])
    report.run_alone(measure, ["--rounds=2", "--engines", "4", "5", "--scale=1", "--no-dask"])
    assert seen == [(5, (1, 8), 0.2, True), (2, [4, 5], 1.0, False)]
    assert capsys.readouterr().out.count("## Title of x") == 2


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        runner.main(["nosuch"])
    assert "there is no nosuch" in capsys.readouterr().err


def test_what_fails_leaves_its_section_and_the_status_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchmarks import forked, tunnel

    def broken(**options: object) -> Section:
        raise SystemExit("no cluster today")

    page = tmp_path / "page.md"
    runner.write(page, _section("forked", "old figure"))
    monkeypatch.setattr(forked, "measure", broken)
    monkeypatch.setattr(tunnel, "measure", lambda **options: _section("tunnel", "its figure"))
    assert runner.main([f"--page={page}", "--quick", "forked", "tunnel"]) == 1
    text = page.read_text(encoding="utf-8")
    assert "old figure" in text
    assert "its figure" in text
    assert "not measured: forked" in capsys.readouterr().err
