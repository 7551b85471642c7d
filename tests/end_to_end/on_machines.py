"""Which end-to-end tests are run on real machines: a broad series, in a quarter of an hour.

Left out is what says nothing of machines (words of commands, refusals of Azure), what is like a
test in the series, and what looks into the processes of the emulator or shares files with them. A
container's console is a pipe, where nobody is asked to log in: nor are tests that look for that.
"""

from pathlib import Path

import pytest

from tests.real_machines import REAL

LEFT_OUT = "on real machines a series is run, which is named in tests/end_to_end/on_machines.py"
LIMIT_S = 900  # a start takes half a minute, on a busy computer three
# module -> tests
SERIES = {
    "test_cluster_life": {
        "test_a_signal_at_any_moment_deletes_everything",
        "test_after_a_kill_stop_deletes_everything",
        "test_engines_added_by_another_process_are_removed_by_stop",
        "test_stop_from_another_process_ends_the_foreground_one",
    },
    "test_steps": {
        "test_a_deployment_that_fails_leaves_the_machines",
        "test_a_signal_ends_a_deployment_and_leaves_the_machines",
        "test_machines_are_there_and_nothing_runs_on_them",
        "test_what_runs_is_replaced_and_its_engines_start_once",
    },
    "test_attach": {
        "test_attach_while_another_program_has_a_port_of_before",
        "test_two_at_once_open_one_way",
    },
    "test_job_files": {
        "test_a_client_elsewhere_maps_over_its_engines",
        "test_the_command_of_the_configuration_runs_the_engines",
        "test_the_idle_limit_ends_it_and_nothing_of_a_stranger",
        "test_the_secrets_are_in_one_file_for_you_alone",
        "test_to_deploy_it_again_changes_nothing",
    },
    "test_notebook": {"test_magics_and_a_kernel_that_is_restarted_in_a_task"},
    "test_jupyterlab": {
        "test_a_kernel_finds_the_cluster_the_files_and_the_pricer",
        "test_it_opens_with_its_token_alone_and_says_that_nowhere",
    },
    "test_own_files": {
        "test_a_running_cluster_is_brought_up_to_date",
        "test_results_are_brought_home",
    },
    "test_see": {
        "test_a_command_on_any_machine_and_its_exit_status",
        "test_ctrl_c_ends_a_command_on_a_machine",
        "test_logs_are_followed_until_ctrl_c",
        "test_logs_of_everything_of_one_machine_and_of_one_engine",
        "test_status_has_the_load_and_the_times_in_short",
        "test_the_printed_configuration_serves_openssh_alone",
        "test_top_shows_each_machine_and_each_engine",
    },
    "test_boot_logs": {
        "test_a_start_that_is_cancelled_while_it_fetches_a_boot_log_undoes_everything",
    },
    "test_azure_faults": {
        "test_a_machine_that_does_not_answer_delays_no_other",
        "test_an_engines_machine_with_another_host_key_is_left_alone",
    },
    "test_failures": {
        "test_a_controller_that_does_not_start",
        "test_an_interpreter_without_ipyparallel",
        "test_the_profile_reaches_the_machines",
    },
    "test_network_cut": {"test_a_short_cut_loses_nothing"},
}


def choose(items: list[pytest.Item]) -> None:
    """Have the others of these tests skipped, if real machines are wanted."""
    for item in items:
        if not REAL or Path(__file__).parent not in item.path.parents:
            continue
        name = getattr(item, "originalname", item.name)
        if name in SERIES.get(item.path.stem, ()):
            item.add_marker(pytest.mark.timeout(LIMIT_S))
        else:
            item.add_marker(pytest.mark.skip(reason=LEFT_OUT))
