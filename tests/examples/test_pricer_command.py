"""The command line, the table, the CSV and the plots."""

import csv
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from ipcluster_azure.examples.monte_carlo_options.__main__ import main
from ipcluster_azure.examples.monte_carlo_options.model import PAYOFFS, Model
from ipcluster_azure.examples.monte_carlo_options.plots import (
    convergence,
    cpu_load,
    distances_from_exact,
    speed_up,
    standard_errors,
    write_plots,
)
from ipcluster_azure.examples.monte_carlo_options.surface import price_surface
from ipcluster_azure.examples.monte_carlo_options.table import (
    decimals,
    format_table,
    write_csv,
    write_npz,
)
from matplotlib.image import imread

PICTURES = {*PAYOFFS, "asian_call_3d", "standard_errors", "distances_from_exact"}
SMALL = ["--serial", "--paths", "3000", "--fixings", "12"]


@pytest.fixture(scope="module")
def surface():
    return price_surface(Model(n_fixings=12), [90, 100, 110], [0.1, 0.4], 5000, seed=2)


def test_the_command_writes_a_table_the_numbers_and_the_plots(tmp_path):
    folder = tmp_path / "new" / "folder"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ipcluster_azure.examples.monte_carlo_options", *SMALL),
            *("--output", str(folder), "--dividend-yield", ".03", "--maturity", "0.5"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "dividend yield 3.00%, maturity 0.5 years, 12 fixings" in done.stdout
    assert "8,192 paths" in done.stdout
    assert "8.19k/8.19k" in done.stderr
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(["prices.csv", "prices.npz", *(f"{name}.png" for name in PICTURES)])


def test_the_command_of_the_documentation(tmp_path, capsys):
    """Its strikes, volatilities and paths as they are typed there, with fewer fixings."""
    arguments = ["--strikes", "90:110:20", "--vols", ".1:.4:20", "--paths", "1e6", "--fixings", "2"]
    assert main(["--serial", *arguments, "--standard-error", "1e-3"]) == 0
    out = capsys.readouterr().out
    assert len([line for line in out.splitlines() if "±" in line]) == 401
    assert "Processors' arithmetic: " in out


def test_an_interrupted_command_says_how_to_go_on(tmp_path):
    command = [
        *(sys.executable, "-m", "ipcluster_azure.examples.monte_carlo_options", "--serial"),
        *("--paths", "1e9", "--checkpoint", str(tmp_path)),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        deadline_s = time.monotonic() + 60
        while not list(tmp_path.glob("*.npz")) and time.monotonic() < deadline_s:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert f"{tmp_path} has what is done; the same command goes on." in err


def test_without_output_nothing_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*SMALL, "--strikes", "100", "--vols", ".2,.3"]) == 0
    assert "100.00      30.00%" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("output", [True, False], ids=["with --output", "without"])
def test_without_matplotlib_only_the_pictures_are_refused_and_before_the_work(tmp_path, output):
    arguments = [*SMALL, *(["--output", str(tmp_path / "new")] if output else [])]
    code = (
        "import runpy, sys; sys.modules['matplotlib'] = None; sys.argv[0] = 'command';"
        "runpy.run_module('ipcluster_azure.examples.monte_carlo_options', run_name='__main__')"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    if output:
        (line,) = done.stderr.splitlines()
        assert "matplotlib" in line
        assert "pip install 'ipcluster-azure[examples]'" in line
        assert (done.returncode, done.stdout) == (1, "")
        assert not (tmp_path / "new").exists()
    else:
        assert done.returncode == 0
        assert "±" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--vols=-.1:.4:5"], "volatilities must be finite and not negative; -0.1 is not"),
        (["--strikes", "0:110:6"], "strikes must be finite and positive"),
        (["--strikes", "90:110"], "'90:110' is neither first:last:count nor numbers"),
        (["--strikes", "90:110:0"], "strikes must be a non-empty list"),
        (["--paths", "0"], "n_paths must be a whole number of at least 1"),
        (["--fixings", "0"], "n_fixings must be a whole number of at least 1"),
        (["--maturity", "nan"], "maturity_years must be a finite number"),
        (["--spot", "x"], "argument --spot: invalid float value"),
        (["--profile", "azure"], "not allowed with argument --serial"),
    ],
)
def test_an_impossible_option_is_named_and_exits_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([*SMALL, *arguments])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


def test_without_a_cluster_the_command_says_how_to_start_one(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    assert main(["--profile", "nosuch"]) == 1
    assert "ipcluster start --profile=nosuch -n 4" in capsys.readouterr().err


def test_the_table_has_a_line_per_cell_and_aligned_columns(surface):
    lines = format_table(surface).splitlines()
    cells = lines[4:10]
    assert len({len(line) for line in lines[3:10]}) == 1
    assert cells[1].split()[:5] == [
        "90.00",
        "40.00%",
        f"{surface.prices['european_call'][0, 1]:.6f}",
        "±",
        f"{surface.standard_errors['european_call'][0, 1]:.1e}",
    ]
    assert cells[5].split()[-3] == f"{surface.prices['asian_put'][2, 1]:.6f}"


def test_strikes_and_volatilities_have_the_decimals_they_need():
    surface = price_surface(Model(1.0, n_fixings=2), [1.075, 1.1], [0.075, 0.08125], 1)
    cells = [line.split()[:2] for line in format_table(surface).splitlines()[4:8]]
    assert cells == [
        ["1.075", "7.500%"],
        ["1.075", "8.125%"],
        ["1.100", "7.500%"],
        ["1.100", "8.125%"],
    ]
    assert decimals(np.linspace(90, 110, 20)) == 2
    assert decimals(np.array([100.0, 100.0001])) == 4


def test_right_prices_cause_no_alarm(capsys):
    """Their spread is far below what float32 does to them."""
    arguments = ["--strikes", "80,100", "--vols", ".05", "--fixings", "12", "--method", "control"]
    assert main(["--serial", *arguments]) == 0
    out = capsys.readouterr().out
    distance = float(re.search(r"are within (\S+) half-widths", out).group(1))
    assert distance < 2
    assert "± 0.0" not in out
    assert "float32 paths may shift each price by another 1e-05." in out


def test_a_wanted_error_that_is_not_reached_is_said(capsys):
    assert main([*SMALL, "--standard-error", "1e-9"]) == 3
    captured = capsys.readouterr()
    assert "±" in captured.out
    assert "The wanted standard error, 1e-09, was not reached with 8,192 paths" in captured.err
    assert main([*SMALL, "--standard-error", "1"]) == 0


def test_a_folder_that_can_t_be_written_is_said_before_the_work(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/prices")):
        with pytest.raises(SystemExit) as exit_:
            main([*SMALL, "--paths", "1e12", "--output", str(folder)])
        assert exit_.value.code == 2
        assert f"--output {folder} can't be written" in capsys.readouterr().err


def test_pictures_that_can_t_be_are_left_out_with_a_note(tmp_path, capsys):
    assert main([*SMALL, "--strikes", "100", "--output", str(tmp_path)]) == 0
    assert "no pictures: they need two strikes and two volatilities" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"prices.csv", "prices.npz"}


def test_a_checkpoint_that_can_t_be_is_no_missing_cluster(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main([*SMALL, "--checkpoint", str(tmp_path / "file")]) == 1
    err = capsys.readouterr().err
    assert str(tmp_path / "file") in err
    assert "Is a cluster running" not in err


def test_the_csv_holds_all_digits(surface, tmp_path):
    write_csv(surface, tmp_path / "prices.csv")
    with (tmp_path / "prices.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert (float(rows[3]["strike"]), float(rows[3]["volatility"])) == (100.0, 0.4)
    for payoff in PAYOFFS:
        assert float(rows[3][payoff]) == surface.prices[payoff][1, 1]
        error = surface.standard_errors[payoff][1, 1]
        assert float(rows[3][f"{payoff}_standard_error"]) == error


def test_the_npz_holds_all(surface, tmp_path):
    write_npz(surface, tmp_path / "prices.npz")
    with np.load(tmp_path / "prices.npz") as file:
        assert str(file["method"]) == "preintegration"
        assert int(file["n_paths"]) == surface.n_paths
        assert int(file["n_fixings"]) == 12
        assert tuple(file["arithmetic"]) == surface.arithmetic
        for payoff in PAYOFFS:
            assert np.array_equal(file[payoff], surface.prices[payoff])
            errors = file[f"{payoff}_standard_error"]
            assert np.array_equal(errors, surface.standard_errors[payoff])


def test_the_plots_are_not_blank_and_leave_matplotlib_alone(surface, tmp_path):
    before = dict(mpl.rcParams)
    paths = write_plots(surface, tmp_path)
    assert {path.stem for path in paths} == PICTURES
    assert dict(mpl.rcParams) == before
    images = [imread(path) for path in paths]
    for image in images:
        assert len(np.unique(image[..., 0])) > 20
        assert min(image.shape[:2]) >= 600
    assert not np.array_equal(images[0], images[1])


@pytest.mark.parametrize(("method", "n_panels"), [("plain", 4), ("preintegration", 2)])
def test_panels_that_would_be_alike_are_drawn_once(method, n_panels):
    """A put that parity makes of its call has the call's error."""
    surface = price_surface(Model(n_fixings=12), [90, 100], [0.1, 0.4], 1, method=method)
    for figure in (standard_errors(surface), distances_from_exact(surface)):
        panels = [axes for axes in figure.axes if axes.get_title()]
        assert len(panels) == n_panels
        ticks = panels[0].xaxis.get_major_formatter()
        assert [ticks(value) for value in (0.1, 0.075)] == ["10", "7.5"]


def test_asian_prices_are_not_compared_where_the_recursion_would_take_long():
    surface = price_surface(Model(n_fixings=1001), [90, 100], [0.1, 0.4], 1)
    titles = [axes.get_title() for axes in distances_from_exact(surface).axes]
    assert [text for text in titles if text] == ["European call and put less exact"]


def test_pictures_of_runs_say_what_they_show():
    n_paths = [100, 400, 1600]
    errors = {"plain": [0.2, 0.1, 0.05], "control": [0.04, 0.02, 0.01]}
    figure = convergence(n_paths, errors, "an option")
    (axes,) = figure.axes
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == ["plain: slope -0.50", "control: slope -0.50"]
    (axes,) = speed_up([1, 2, 4], [8.0, 4.0, 2.5], 2).axes
    ideal, measured = axes.get_lines()
    assert list(ideal.get_ydata()) == [1, 2, 2]
    assert list(measured.get_ydata()) == [1, 2, 3.2]
    seconds = np.array([0.1, 0.2])
    figure = cpu_load({3: (seconds, np.array([0.9, 1.0])), 1: (seconds, np.array([0.1, 0.2]))})
    assert [axes.get_ylabel() for axes in figure.axes] == ["engine 1", "engine 3"]


def test_a_plot_does_not_depend_on_the_order_of_the_grid(tmp_path):
    arguments = (Model(n_fixings=2), [110, 90, 100], [0.4, 0.1], 2000)
    mixed = write_plots(price_surface(*arguments), tmp_path)[0].read_bytes()
    arguments = (Model(n_fixings=2), [90, 100, 110], [0.1, 0.4], 2000)
    assert write_plots(price_surface(*arguments), tmp_path)[0].read_bytes() == mixed


def test_a_contour_needs_two_points_on_each_axis(tmp_path):
    surface = price_surface(Model(n_fixings=2), 100, [0.1, 0.2], 100)
    with pytest.raises(ValueError, match="at least two strikes and two volatilities"):
        write_plots(surface, tmp_path)
