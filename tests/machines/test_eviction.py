"""Azure takes a Spot machine back: its own Scheduled Events say so, at their own address."""

from concurrent.futures import ThreadPoolExecutor

from azure_emulator.testing import fault, faults
from tests.end_to_end.conftest import wait_for

from .conftest import Laptop

NOTICE_S = 20.0
TASKS, TASK_S = 24, 2.0


def test_no_task_is_lost_with_an_evicted_machine(laptop: Laptop) -> None:
    laptop = laptop.with_profile("spot", 'c.AzureVMLauncher.priority = "Spot"\n')
    begun = laptop.home / "begun"
    # all tasks are handed out at once, so that the engines have a queue to pass on
    controller = laptop.folder / "ipcontroller_config.py"
    controller.write_text("c = get_config()\nc.TaskScheduler.hwm = 0\n")
    code = f"""
import ipyparallel as ipp, pathlib, time
client = ipp.Client(profile={laptop.profile!r})
first = set(client.ids)
def work(seconds):
    import time
    time.sleep(seconds)
    return 42
results = client.load_balanced_view().map_async(work, [{TASK_S}] * {TASKS}, chunksize=1)
pathlib.Path({str(begun)!r}).touch()
done = results.get(timeout=120)
deadline = time.monotonic() + 120
while (len(client.ids) < 4 or first <= set(client.ids)) and time.monotonic() < deadline:
    time.sleep(0.5)
print(len(first), done == [42] * {TASKS}, len(client.ids), len(first & set(client.ids)))
"""
    evicted = fault(
        "evicted", type="*ScaleSets/virtualMachines", name="*spot*", running=True, notice_s=NOTICE_S
    )
    laptop.ipcluster("start", "-n", "4", "--daemonize")
    try:
        with ThreadPoolExecutor(1) as pool:
            said = pool.submit(laptop.python, code)
            wait_for(begun.exists, 60)
            with faults(laptop.emulator, evicted) as met:
                assert said.result() == "4 True 4 2"
            assert met.fired == [1]
    finally:
        laptop.ipcluster("stop", expect=None)
