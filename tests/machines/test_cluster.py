"""What holds on machines as real as a container: who runs what, and who reaches whom."""

from urllib.parse import urlsplit

from .conftest import Laptop


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


def test_the_resource_manager_is_reached_by_who_may_delete_the_cluster(
    laptop: Laptop, cluster: str
) -> None:
    """By the controller's machine, whose limits hold while the user's computer is off."""
    port = urlsplit(laptop.emulator.endpoint).port
    ask = f'import socket; socket.create_connection(("127.0.0.1", {port}))'
    controller, *engines = (
        laptop.on_machine(name, f"python3 -c '{ask}' 2>&1 | tail -1") for name in laptop.machines()
    )
    assert controller == ""
    assert engines
    assert all(said.startswith("ConnectionRefusedError") for said in engines)


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
client = ipp.Client(profile={laptop.profile!r})
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
client = ipp.Client(profile={laptop.profile!r})
before = set(client.ids)
client[min(before)].apply(os.system, "sudo reboot")
deadline = time.monotonic() + 120
while (before & set(client.ids) or len(client.ids) < 2) and time.monotonic() < deadline:
    time.sleep(0.5)
print(len(client.ids), before & set(client.ids), client[:].apply_async(lambda: 42).get(30))
"""
    assert laptop.python(code) == "2 set() [42, 42]"
