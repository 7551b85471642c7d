"""What holds on machines as real as a container: who runs what, and who reaches whom."""

import json

from .conftest import PROFILE, Laptop

PORTS = """
import asyncio, json, sys

async def ask(host, port, limit):
    async with limit:
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 2)
        except asyncio.TimeoutError:
            return "silent"
        except OSError as error:
            return type(error).__name__
        writer.close()
        return str(port)

async def scan(host, ports):
    limit = asyncio.Semaphore(1000)
    return sorted(set(await asyncio.gather(*(ask(host, port, limit) for port in ports))))

"""
# the controller's own ports are among those that Linux hands out, 32768 and above
SEEN = [*range(1, 10_001), *range(32_768, 61_000, 7)]


def scan(laptop: Laptop, address: str) -> list[str]:
    code = f"{PORTS}print(json.dumps(asyncio.run(scan({address!r}, {SEEN}))))"
    answers: list[str] = json.loads(laptop.run("python", "-c", code))
    return answers


def public_address(laptop: Laptop) -> str:
    record = laptop.home / f"ipython/profile_{PROFILE}/security/azure-.json"
    return str(json.loads(record.read_text())["controller"]["host"])


def test_engines_are_an_ordinary_user_s_on_a_machine_of_their_own(
    laptop: Laptop, cluster: str
) -> None:
    assert "2 of 2 engines are registered" in cluster
    code = (
        "def task():\n import getpass, os, socket\n"
        " return [getpass.getuser(), socket.gethostname(), open('/proc/1/comm').read().strip()]"
    )
    (user, host, first), other = laptop.on_engines(code)  # type: ignore[misc]
    assert (user, first) == ("azureuser", "systemd")
    assert other == [user, host, first]
    assert host != laptop.run("hostname").strip()


def test_one_port_is_open_in_the_whole_cluster(laptop: Laptop, cluster: str) -> None:
    assert scan(laptop, public_address(laptop)) == ["22", "silent"]


def test_engines_have_no_way_out_but_to_azure(laptop: Laptop, cluster: str) -> None:
    code = (
        "def task():\n"
        " import urllib.request as r\n"
        " found = []\n"
        " meta = r.Request('http://169.254.169.254/metadata/instance?api-version=2021-02-01',\n"
        "                  headers={'Metadata': 'true'})\n"
        " for target in ('https://pypi.org', meta):\n"
        "  try:\n   found.append(r.urlopen(target, timeout=5).status)\n"
        "  except OSError as error:\n   found.append(type(error).__name__)\n"
        " return found"
    )
    for index, metadata in laptop.on_engines(code):  # type: ignore[misc]
        assert metadata == 200
        assert index == "URLError"


def test_cloud_init_finds_nothing_wrong_with_our_custom_data(laptop: Laptop, cluster: str) -> None:
    code = (
        "def task():\n import subprocess\n"
        " done = subprocess.run(['sudo', '-n', 'cloud-init', 'schema', '--system'],\n"
        "  capture_output=True, text=True)\n"
        " known = subprocess.run(['cloud-init', 'status'], capture_output=True, text=True)\n"
        " return [done.returncode, done.stdout + done.stderr, known.stdout]"
    )
    (status, said, state), _ = laptop.on_engines(code)  # type: ignore[misc]
    assert status == 0, said
    assert "error" not in said.lower()
    assert state == "status: done\n"


def test_an_engine_that_dies_comes_back(laptop: Laptop, cluster: str) -> None:
    code = f"""
import ipyparallel as ipp, os, signal, time
client = ipp.Client(profile={PROFILE!r})
before = client.ids
pid = client[before[0]].apply_sync(os.getpid)
client[before[1]].apply_sync(os.kill, pid, signal.SIGKILL)
deadline = time.monotonic() + 60
while (client.ids == before or len(client.ids) < 2) and time.monotonic() < deadline:
    time.sleep(0.2)
print(len(client.ids), client.ids != before, client[:].apply_sync(lambda: 42))
"""
    assert laptop.python(code) == "2 True [42, 42]"


def test_engines_of_a_machine_that_reboots_are_there_again(laptop: Laptop, cluster: str) -> None:
    code = f"""
import ipyparallel as ipp, os, time
client = ipp.Client(profile={PROFILE!r})
before = set(client.ids)
client[min(before)].apply(os.system, "sudo reboot")
deadline = time.monotonic() + 120
while (before & set(client.ids) or len(client.ids) < 2) and time.monotonic() < deadline:
    time.sleep(0.5)
print(len(client.ids), before & set(client.ids), client[:].apply_async(lambda: 42).get(30))
"""
    assert laptop.python(code) == "2 set() [42, 42]"
