"""Hostile texts in settings: refused, or passed on as they are."""

import asyncio
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from azure_emulator.templates import expressions
from ipcluster_azure.errors import ConfigurationError
from ipcluster_azure.launchers import AzureVMControllerLauncher, AzureVMEngineSetLauncher
from ipcluster_azure.naming import MAX_USER_TAGS
from ipcluster_azure.plan.arm_template import controller_template, engine_set_template
from ipcluster_azure.plan.requests import requests
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.resource_manager.subscription import find_subscription
from ipcluster_azure.settings.value_checks import wide_sources
from ipcluster_azure.start import preflight, ssh_rule

from ..plans import CLUSTER, ENGINES, launcher

HOSTILE = [
    "; rm -rf /",
    "'; touch pwned; '",
    '"; touch pwned; "',
    "$(touch pwned)",
    "`touch pwned`",
    "a\nb",
    "a\0b",
    "../../up",
    "/etc/passwd",
    "日本 ü",
    " ",
    "-rf",
    "[parameters('customData')]",
    "[[x]",
    "*",
    "%2e%2e%2f",
    "?x=1#y",
]
NAMES = {"location", "admin_username", "subscription_id", "address_prefix", "ssh_source"}


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("setting", sorted(NAMES))
def test_names_are_refused(setting: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=setting):
        launcher(**{setting: text}).settings()


@pytest.mark.parametrize("text", ["../up", "a/b", "a\\b", "a\nb", "a\0b", "\x1b[2J", "x" * 101])
@pytest.mark.parametrize("kind", [AzureVMControllerLauncher, AzureVMEngineSetLauncher])
def test_a_cluster_id_that_is_no_file_name(kind: Any, text: str) -> None:
    with pytest.raises(ConfigurationError, match="cluster_id"):
        kind(cluster_id=text).settings()
    kind(cluster_id="x" * 98 + "ü").settings()  # 100 bytes
    with pytest.raises(ConfigurationError, match="cluster_id"):
        kind(cluster_id="x" * 99 + "ü").settings()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "../up.json",
        "/tmp/x.json",
        "a\\b.json",
        "security/cluster-.json",
        ".hidden.json",
        "ipcluster_config.py",
        "x",
        "a\nb.json",
        "a\0.json",
    ],
)
@pytest.mark.parametrize("kind", [AzureVMControllerLauncher, AzureVMEngineSetLauncher])
def test_a_job_file_lies_in_the_profile(kind: Any, text: str) -> None:
    with pytest.raises(ConfigurationError, match="job_file_name"):
        kind(job_file_name=text).settings()
    kind(job_file_name="it's a $(job); {cluster_id}.json", cluster_id="ü *").settings()


@pytest.mark.parametrize("name", ["A; touch pwned; B", "A B", "", "$(x)", "1A", "A\nB", "A=B", 7])
def test_a_variables_name_is_a_name(name: Any) -> None:
    with pytest.raises(ConfigurationError, match="is not a variable's name"):
        AzureVMEngineSetLauncher(environment={name: "x"}).settings()


@pytest.mark.parametrize("value", ["a\0b", 7, None])
def test_values_and_arguments_are_texts(value: Any) -> None:
    with pytest.raises(
        ConfigurationError, match=r"the value of A (must be a text, not|can't have)"
    ):
        AzureVMEngineSetLauncher(environment={"A": value}).settings()
    config = Config({"AzureVMEngineSetLauncher": {"engine_args": [value]}})
    with pytest.raises(ConfigurationError, match="engine_args"):
        AzureVMEngineSetLauncher(config=config).settings()


def test_more_tags_than_azure_takes() -> None:
    tags = {f"t{number}": "x" for number in range(MAX_USER_TAGS + 1)}
    with pytest.raises(ConfigurationError, match="tags: at most 42"):
        launcher(tags=tags).settings()


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_passed_on_is_passed_on_literally(text: str) -> None:
    """A tag's value in brackets would be an expression, and could hold the host's private key."""
    tags = {**CLUSTER.tags, "note": text}
    image = f"publisher:offer:{text.replace(':', '')}:latest"
    machine = replace(CLUSTER.machine, image=image)
    cluster = replace(CLUSTER, tags=tags, machine=machine)
    templates = (
        controller_template(cluster),
        engine_set_template(cluster, replace(ENGINES, machine=machine)),
    )
    for template in templates:
        written = template["parameters"]["tags"]["defaultValue"]["note"]
        assert not expressions.is_expression(written)
        assert expressions.literal(written) == text
        for request in requests(template, {"sshPublicKey": "S", "customData": "SECRET"}, cluster):
            assert request.body["tags"] == tags
            storage = request.body["properties"].get("storageProfile")
            if storage:
                assert storage["imageReference"]["sku"] == image.split(":")[2]


def test_logs_are_found_by_the_name_and_not_by_a_pattern(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    other, own = RecordFile.of(str(tmp_path), "other"), RecordFile.of(str(tmp_path), "*")
    for file in (other, own):
        file.log_path("", "controller").write_text("")
    assert own.log_paths("") == [own.log_path("", "controller")]
    assert other.log_paths("") == [other.log_path("", "controller")]


@pytest.mark.parametrize("text", ["s/../x", "a b", "x?y", "é", "a\nb"])
def test_a_subscription_from_the_environment(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", text)
    with pytest.raises(ConfigurationError, match="not a subscription's id"):
        find_subscription("")


def test_wide_sources() -> None:
    assert wide_sources(["auto", "10.0.0.0/8", "203.0.113.7/32"]) == []
    assert wide_sources(["0.0.0.0/0", "128.0.0.0/1"]) == ["0.0.0.0/0", "128.0.0.0/1"]


class _Answer(BaseHTTPRequestHandler):
    text = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.text)

    def log_message(self, *args: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Tells the address; over HTTP, as certificates are not what this is about."""
    server = HTTPServer(("127.0.0.1", 0), _Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setattr(
        "urllib.request.urlopen", _without_tls(urllib.request.urlopen, server.server_port)
    )
    yield "https://127.0.0.1"
    server.shutdown()
    thread.join()
    server.server_close()


def _without_tls(urlopen: Any, port: int) -> Any:
    return lambda url, **options: urlopen(f"http://127.0.0.1:{port}", **options)


@pytest.mark.parametrize("answer", ["0.0.0.0/0", "203.0.113.7/8", "::/0", "203.0.113.7 0.0.0.0/0"])
def test_the_service_can_open_the_door_to_one_address_alone(service: str, answer: str) -> None:
    settings = launcher(subscription_id="s", public_ip_service=service).settings()
    _Answer.text = answer.encode()
    with pytest.raises(ConfigurationError, match="did not tell this computer's public address"):
        asyncio.run(preflight.find_place(settings))
    _Answer.text = b"203.0.113.7\n"
    assert asyncio.run(preflight.find_place(settings)).ssh_sources == ("203.0.113.7/32",)


def test_why_the_service_does_not_answer_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise urllib.error.URLError(socket.gaierror(-2, "Name or service not known"))

    monkeypatch.setattr(urllib.request, "urlopen", unknown)
    with pytest.raises(ConfigurationError, match=r"address \(Name or service not known\)\. Set"):
        ssh_rule.own_address("https://nosuch.invalid")
