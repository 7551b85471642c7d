"""What clients do besides ipyparallel's own calls: dask, joblib, other ways of pickling."""

import json
from typing import Any

import pytest

from ipcluster_azure.record.file import RecordFile

from .conftest import Profile

CLIENT = """
import json, warnings
import ipyparallel as ipp, numpy as np, psutil
client = ipp.Client(profile={profile!r})
view, balanced = client[:], client.load_balanced_view()
"""


def said_by(profile: Profile, code: str) -> Any:
    """What a client's program prints last, as JSON."""
    program = CLIENT.format(profile=profile.name) + code
    return json.loads(profile.python(program).splitlines()[-1])


DASK = """
import dask.array, os, socket
dask_client = client.become_dask()
ids = set(view.apply_sync(os.getpid))
dask_client.wait_for_workers(2, timeout=20)
total = dask.array.ones((1000, 1000), chunks=100).sum().compute()
pids = set(dask_client.gather(dask_client.map(lambda number: __import__("os").getpid(), range(40))))
large = dask_client.submit(lambda: np.ones(2_000_000)).result().nbytes
connections = psutil.Process().net_connections("tcp")
to = sorted({item.raddr for item in connections if item.raddr})
again = client.become_dask()
workers = list(again.scheduler_info()["workers"])
listening = [item.laddr.ip for item in connections if item.status == "LISTEN"]
again.close()
dask_client.close()
client.stop_dask()
anew = client.become_dask()
anew.wait_for_workers(2, timeout=20)
then = anew.submit(sum, [1, 2]).result(timeout=20)
anew.close()
client.stop_dask()
print(json.dumps([total, pids <= ids, len(pids), large, to, listening, workers, then]))
"""


def test_become_dask_computes_on_the_engines_through_the_links_ports(running: Profile) -> None:
    total, on_engines, n_pids, large, to, listening, workers, then = said_by(running, DASK)
    assert (total, on_engines, large, then) == (1e6, True, 16_000_000, 3)
    assert n_pids == 2
    record = RecordFile.of(str(running.folder), "").require()
    assert {host for host, _ in to} == {"127.0.0.1"}
    ours = {tunnel.local for tunnel in record.tunnels.values()}
    assert {port for _, port in to} <= ours
    assert record.tunnels["dask"].local in {port for _, port in to}
    assert listening == []
    # asked for twice, each engine is one worker still, at the address of its machine
    machines = [m.address for s in record.engine_sets.values() for m in s.machines]
    assert len(workers) == 2
    assert {address.split(":")[1] for address in workers} == {f"//{m}" for m in machines}


def test_a_missing_module_is_explained_by_what_the_machines_were_given(running: Profile) -> None:
    code = """
def task():
    import no_such_module_of_ours

try: view.apply_sync(task)
except ipp.error.CompositeError as error: print(json.dumps([item[1] for item in error.elist]))
"""
    said = "The engines don't have no_such_module_of_ours: with python_environment = 'image' "
    assert [said in text for text in said_by(running, code)] == [True, True]


JOBLIB = """
import joblib
from ipyparallel.joblib import IPythonParallelBackend
import os
joblib.register_parallel_backend("ipyparallel", lambda: IPythonParallelBackend(view=balanced))
offset = 3
with joblib.parallel_config(backend="ipyparallel"):
    run = joblib.Parallel(n_jobs=2)
    pids = set(run(joblib.delayed(os.getpid)() for _ in range(20)))
    arrays = run(joblib.delayed(np.multiply)(np.ones(300_000), i) for i in range(4))
    view.use_cloudpickle().get(timeout=20)  # without it joblib's batches take no lambda
    found = run(joblib.delayed(lambda x, y=offset: x * x + y)(i) for i in range(20))
on_engines = pids <= set(view.apply_sync(os.getpid))
print(json.dumps([found, on_engines, [float(a.sum()) for a in arrays]]))
"""


def test_joblibs_backend_runs_on_the_engines(running: Profile) -> None:
    found, on_engines, sums = said_by(running, JOBLIB)
    assert found == [x * x + 3 for x in range(20)]
    assert on_engines
    assert sums == [0.0, 3e5, 6e5, 9e5]


PICKLING = """
class Point:  # of a notebook
    def __init__(self, x): self.x = x
    def doubled(self): return type(self)(2 * self.x)

def adder(offset):
    return lambda value: value + offset

results = {{}}
view.{use}().get(timeout=20)
results["closure"] = view.apply_sync(adder(5), 2)
results["lambda"] = balanced.map_sync(lambda x: x ** 2, range(5))
results["nested"] = view.apply_sync(lambda f, x: f(x), adder(1), 1)
large = np.arange(1_000_000.0)
results["array"] = [float(part.sum()) for part in view.apply_sync(lambda a: a * 2, large)]
view.scatter("part", large, block=True)
results["scattered"] = float(sum(view.apply_sync(lambda part: part.sum(), ipp.Reference("part"))))
if "{use}" != "use_pickle":  # ipyparallel's own has classes of __main__ looked for there
    results["class"] = [p.x for p in view.apply_sync(lambda p: p.doubled(), Point(4))]
view.use_pickle().get(timeout=20)
results["back"] = view.apply_sync(lambda: 1)
print(json.dumps(results))
"""


@pytest.mark.parametrize("use", ["use_dill", "use_cloudpickle", "use_pickle"])
def test_each_way_of_pickling_takes_closures_classes_and_large_arrays(
    running: Profile, use: str
) -> None:
    found = said_by(running, PICKLING.format(use=use))
    assert found.pop("class", [8, 8]) == [8, 8]
    total = 999_999 * 1_000_000 / 2
    assert found == {
        "closure": [7, 7],
        "lambda": [0, 1, 4, 9, 16],
        "nested": [2, 2],
        "array": [2 * total, 2 * total],
        "scattered": total,
        "back": [1, 1],
    }
