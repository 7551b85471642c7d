"""No path, header or body makes the emulator crash or answer 500; it goes on serving."""

from __future__ import annotations

import copy
import json
import random
import string
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from ...complete import COMPLETE
from ..cloud import LOCATION, Answer, Cloud, Keys, Site, scale_set_body, ssh_rule, vm_body
from ..wire import ask, connected, head, parsed, received

VERSION = b"api-version=2024-07-01"


def assert_refused(answer: Answer | None, *codes: str) -> None:
    """A client error in ARM's shape."""
    assert answer is not None
    assert 400 <= answer.status < 500, answer
    error = answer.body["error"]
    assert error["code"], answer
    assert error["message"], answer
    assert answer.headers["content-type"].startswith("application/json")
    if codes:
        assert error["code"] in codes, answer


@pytest.fixture(autouse=True)
def _goes_on_serving(arm: Cloud) -> Iterator[None]:
    yield
    answer = arm.call("GET", "")
    assert (answer.status, answer.body["state"]) == (200, "Enabled")


# Bodies

BODIES = {
    "cut": b'{"location": "eastus"',
    "two values": b"{} {}",
    "invalid utf-8": b'{"location": "\xff\xfe"}',
    "utf-16": '{"location": "eastus"}'.encode("utf-16"),
    "NaN": b'{"location": NaN}',
    "Infinity": b'{"location": -Infinity}',
    "huge float": b'{"location": 1e999}',
    "huge integer": b'{"location": ' + b"9" * 10_000 + b"}",
    "null byte": b'{"location": "east\x00us"}',
    "only null bytes": b"\x00" * 100,
    "deep list": b'{"tags": ' + b"[" * 500 + b"]" * 500 + b"}",
    "deep object": b'{"tags": ' + b'{"a":' * 500 + b"1" + b"}" * 501,
    "very deep": b'{"a":' * 100_000,
    "empty key": b'{"": 1}',
    "xml": b"<location>eastus</location>",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_bodies(arm: Cloud, site: Site, body: bytes) -> None:
    for path in (
        "/resourceGroups/never",
        site.provider("virtualNetworks", "x"),
        site.provider("virtualMachines", "x"),
    ):
        assert_refused(arm.call("PUT", path, body), "InvalidRequestContent", "LocationRequired")
    assert_refused(arm.call("PATCH", site.path, body), "InvalidRequestContent")
    assert arm.call("GET", "/resourceGroups/never").status == 404


def test_the_last_of_duplicate_keys_counts(arm: Cloud, site: Site) -> None:
    body = b'{"location": 17, "tags": {"a": "1"}, "tags": {"a": "2"}, "location": "eastus"}'
    assert arm.call("PUT", site.path, body).body["tags"] == {"a": "2"}


@pytest.mark.parametrize("megabytes", [5, 40])
def test_huge_bodies(arm: Cloud, site: Site, megabytes: int) -> None:
    body = b'{"location": "' + b"x" * (megabytes << 20) + b'"}'
    assert_refused(arm.call("PUT", site.path, body), "RequestContentTooLarge")


def test_compressed_bodies(arm: Cloud, site: Site) -> None:
    bomb = zlib.compress(b" " * (100 << 20))
    for body, code in ((bomb, "RequestContentTooLarge"), (b"no zlib", "InvalidRequestContent")):
        lines = [b"Content-Encoding: deflate", b"Content-Length: %d" % len(body)]
        target = f"{site.id}?{VERSION.decode()}".encode()
        assert_refused(ask(arm, head(arm, b"PUT", target, *lines) + body), code, "BadRequest")


# Valid bodies with several things replaced by anything at all

JUNK: list[Any] = [
    *(None, True, 0, -1, 2**70, 1.5, "", "x", "\x00", "\ud800", "ä" * 300, " ", "*", "%", "{0}"),
    *([], {}, [[]], [None], {"": None}, {"id": None}, {"id": 1}, {"a": {"b": [{}]}}, ["x", 1]),
    *("/subscriptions/x/resourceGroups/y", "10.0.0.0/33", "::/0", "65536", "-1", "eastus"),
]


def spoil(chance: random.Random, value: Any) -> Any:
    """The value with something in it removed, added, renamed or replaced."""
    if isinstance(value, dict) and value and chance.random() < 0.93:
        changed = dict(value)
        name = chance.choice(list(value))
        how = chance.random()
        if how < 0.7:
            changed[name] = spoil(chance, value[name])
        elif how < 0.8:
            del changed[name]
        elif how < 0.9:
            changed[chance.choice(string.printable) * chance.randint(0, 3)] = chance.choice(JUNK)
        else:
            changed[name.upper()] = changed.pop(name)
        return changed
    if isinstance(value, list) and value and chance.random() < 0.9:
        changed_list = copy.deepcopy(value)
        at = chance.randrange(len(value))
        changed_list[at] = spoil(chance, value[at])
        return changed_list * chance.choice([1, 1, 1, 2])
    return chance.choice(JUNK)


TEMPLATE: dict[str, Any] = {
    "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
    "contentVersion": "1.0.0.0",
    "parameters": {"name": {"type": "string", "defaultValue": "odd"}},
    "variables": {"names": "[createArray(parameters('name'), 'b')]"},
    "resources": [
        {
            "type": "Microsoft.Network/networkSecurityGroups",
            "apiVersion": "2024-05-01",
            "name": "[format('{0}-{1}', variables('names')[0], copyIndex())]",
            "location": "[resourceGroup().location]",
            "copy": {"name": "each", "count": "[length(variables('names'))]"},
            "properties": {},
        }
    ],
    "outputs": {"first": {"type": "string", "value": "[toUpper(variables('names')[0])]"}},
}


def subjects(site: Site, keys: Keys) -> list[tuple[str, dict[str, Any]]]:
    """Paths, and bodies that are good for them."""
    subnet = site.network()
    inner = {"subnet": {"id": subnet}, "publicIPAddress": {"id": site.public_ip("a")["id"]}}
    nic = {"ipConfigurations": [{"name": "i", "properties": inner}], "dnsSettings": {}}
    vnet = {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/8"]},
        "dhcpOptions": {"dnsServers": ["10.0.0.4"]},
        "subnets": [{"name": "s", "properties": {"addressPrefix": "10.0.0.0/24"}}],
    }
    address = {"publicIPAllocationMethod": "Static", "dnsSettings": {"domainNameLabel": "l"}}
    machine = vm_body(keys, site.nic("used", subnet)["id"], customData="eA==")
    sku = {"name": "Standard", "tier": "Regional"}
    place = {"location": LOCATION, "tags": {"a": "b"}}
    return [
        (site.path, place),
        (site.provider("virtualNetworks", "odd"), {**place, "properties": vnet}),
        (
            site.provider("virtualNetworks", "vnet", "subnets/odd"),
            {"properties": {"addressPrefix": site.prefix}},
        ),
        (
            site.provider("networkSecurityGroups", "odd"),
            {**place, "properties": {"securityRules": [ssh_rule(22)]}},
        ),
        (
            site.provider("publicIPAddresses", "odd"),
            {**place, "sku": sku, "zones": ["1"], "properties": address},
        ),
        (site.provider("networkInterfaces", "odd"), {**place, "properties": nic}),
        (site.provider("virtualMachines", "odd"), machine),
        (site.provider("virtualMachineScaleSets", "odd"), scale_set_body(keys, subnet, 1)),
        (
            site.provider("virtualNetworks", "vnet", "virtualNetworkPeerings/odd"),
            {"properties": {"remoteVirtualNetwork": {"id": subnet.partition("/subnets")[0]}}},
        ),
        (
            site.provider("natGateways", "odd"),
            {**place, "sku": {"name": "Standard"}, "properties": {"idleTimeoutInMinutes": 4}},
        ),
        (
            site.provider("disks", "odd"),
            {
                **place,
                "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4},
            },
        ),
        (
            f"{site.path}/providers/Microsoft.Resources/deployments/odd",
            {"properties": {"mode": "Incremental", "template": TEMPLATE, "parameters": {}}},
        ),
    ]


@pytest.mark.parametrize("seed", range(12))
def test_spoilt_bodies(arm: Cloud, site: Site, keys: Keys, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable
    path, body = subjects(site, keys)[seed]
    for number in range(150 if COMPLETE else 30):
        spoilt: Any = body
        for _ in range(chance.randint(1, 4)):
            spoilt = spoil(chance, spoilt)
        method = chance.choice(["PUT", "PUT", "PUT", "PATCH"])
        answer = arm.call(method, path, json.dumps(spoilt).encode())
        if answer.status >= 300:
            assert_refused(answer)
        elif number % 3 == 0 and path != site.path:
            arm.call("DELETE", path)
        assert answer.status in (200, 201, 202, 400, 403, 404, 405, 409), (method, spoilt, answer)
    listed = arm.call("GET", f"{site.path}/resources")
    assert listed.status == 200
    for item in listed.body["value"]:
        assert arm.call("GET", item["id"]).status in (200, 404)


@pytest.mark.parametrize("action", ["start", "powerOff", "restart", "deallocate", "delete"])
def test_bodies_of_actions(arm: Cloud, site: Site, keys: Keys, action: str) -> None:
    subnet = site.network()
    kind = "virtualMachineScaleSets"
    answer = arm.call("PUT", site.provider(kind, "s"), scale_set_body(keys, subnet, 1))
    arm.wait_for(answer)
    for junk in JUNK:
        for body in (junk, {"instanceIds": junk}, {"instanceIds": [junk]}):
            path = site.provider(kind, "s", action)
            answer = arm.call("POST", path, json.dumps(body).encode())
            assert answer.status in (200, 202, 400, 404, 405, 409), (body, answer)


# Paths and queries

GROUP = "/subscriptions/{s}/resourceGroups/{g}"
TARGETS = [
    *("/", "*", "//", "/..", "/../../etc/passwd", "/%2e%2e/%2e%2e", "/%00", "/%", "/%zz", "/\\"),
    *("/subscriptions", "/subscriptions/", "/subscriptions/{s}/", "/subscriptions/%2f"),
    *("/subscriptions/{s}/resourceGroups/%00", "/subscriptions/{s}/resourceGroups/a%2fb"),
    *("/subscriptions/{s}/resourceGroups/..", "/subscriptions/{s}/resourceGroups/%0d%0aX: y"),
    *(GROUP + "/providers", GROUP + "/providers/", GROUP + "/providers/%20/%20/%20"),
    *(GROUP + "/providers/Microsoft.Compute", GROUP + "/providers/Microsoft.Compute/disks/"),
    *(GROUP + "/providers/Microsoft.Compute/virtualMachines/%F0%9F%98%80", "/ä", "/%ff%fe"),
    *(GROUP + "/providers/Microsoft.Compute/virtualMachines/" + "x" * 4000, "/" + "a/" * 3000),
    *(GROUP + "/providers/Microsoft.Network/virtualNetworks/v/subnets/%E4/x/y/z",),
    *(GROUP + "/providers/Microsoft.Compute/virtualMachines/vm;a=b", "/$metadata", "/{0}"),
    *("/subscriptions/{s}/operationresults/%%%", "/subscriptions/{s}/operationresults/bm9wZQ"),
    *("/subscriptions/{s}/operationresults/W10", "/subscriptions/{s}/operationresults/e30"),
    *("/subscriptions/{s}/providers/Microsoft.Compute/locations/x/operations/y",),
    *("https://example.org/subscriptions", "example.org:443", "x" * 9000, "/" + "x" * 100_000),
]
METHODS = [b"GET", b"PUT", b"POST", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT", b"get"]


def test_paths(arm: Cloud, site: Site) -> None:
    for target in TARGETS:
        raw = target.replace("{s}", arm.info.subscription_id).replace("{g}", site.group)
        for method in METHODS:
            line = raw.replace(" ", "%20").encode() + b"?" + VERSION
            answer = ask(arm, head(arm, method, line))
            assert answer is not None, (method, target)
            assert answer.status < 500, (method, target, answer)
            if answer.status >= 300:
                assert_refused(answer)


def test_slashes_in_a_row_count_as_one(arm: Cloud, site: Site) -> None:
    doubled = f"//subscriptions//{arm.info.subscription_id}/resourceGroups//{site.group}"
    answer = ask(arm, head(arm, b"GET", doubled.encode() + b"?" + VERSION))
    assert answer is not None
    assert (answer.status, answer.body["name"]) == (200, site.group)


def test_random_targets(arm: Cloud, site: Site) -> None:
    chance = random.Random(7)  # noqa: S311 - repeatable
    pieces = [*site.id.split("/"), *site.provider("virtualMachines", "x").split("/")]
    pieces += ["", ".", "..", "%2f", "%00", "%c3%28", "{name}", "$expand", "a" * 200, "*", "?"]
    for _ in range(300):
        path = "/" + "/".join(chance.choice(pieces) for _ in range(chance.randint(1, 12)))
        noise = bytes(chance.choice(b"!$%&'()*+,;=:@-._~?#[]|^`<>\"{}") for _ in range(3))
        line = path.encode() + chance.choice([b"", noise]) + b"?" + VERSION
        answer = ask(arm, head(arm, chance.choice(METHODS), line))
        assert answer is not None, line
        assert answer.status < 500, (line, answer)
        if answer.status >= 300:
            assert_refused(answer)


BAD_VERSIONS = [
    *("1", "latest", "2024-7-1", "2024-02-30", "2024-13-01", "1999-01-01", "2999-01-01", "null"),
    *("2024-07-01%00", "2024-07-01%0d%0aX-Evil:%20yes", "%D9%A2024-07-01", "2024-07-01-", " "),
    *("2024-07-01&api-version=2024-07-01", "2024-07-01&API-Version=2023-07-01", "x" * 5000),
]


@pytest.mark.parametrize("version", BAD_VERSIONS)
def test_api_versions(arm: Cloud, site: Site, version: str) -> None:
    target = f"{site.id}?api-version={version.replace(' ', '%20')}".encode()
    assert_refused(ask(arm, head(arm, b"GET", target)), "InvalidApiVersionParameter")


@pytest.mark.parametrize("version", ["2014-04-01", "2015-05-01-preview", "2026-03-01-Preview"])
def test_older_and_preview_api_versions(site: Site, version: str) -> None:
    assert site.cloud.call("GET", site.path, version=version).status == 200


def test_odd_queries(arm: Cloud, site: Site) -> None:
    for text in ("&", "&&==&", "&%ff=%fe", "&$filter=%00", "&$expand=1&$expand=2", "&$top=-1"):
        for path in (site.id, f"{site.id}/resources", f"{site.id}{VMS}"):
            answer = ask(arm, head(arm, b"GET", f"{path}?{VERSION.decode()}{text}".encode()))
            assert answer is not None
            assert answer.status in (200, 400), (path, text, answer)


VMS = "/providers/Microsoft.Compute/virtualMachines"


# Headers and the protocol itself


def target(site: Site) -> bytes:
    return f"{site.id}?".encode() + VERSION


@pytest.mark.parametrize(
    "line",
    [
        b"X-Long: " + b"x" * 100_000,
        b"X-Huge: " + b"x" * (20 << 20),
        b"X-Null: \x00",
        b"No colon",
        b": no name",
        b"Spa ce: x",
        b"Content-Length: minus",
        b"Content-Length: -1",
        b"Content-Length: 1\r\nContent-Length: 2",
        b"Transfer-Encoding: gzip\r\nContent-Length: 3",
        b"\r\n".join(b"X-%d: y" % number for number in range(5000)),
        b"Expect: miracles",
    ],
    ids=lambda line: line[:24].decode("latin-1"),
)
def test_headers(arm: Cloud, site: Site, line: bytes) -> None:
    answer = ask(arm, head(arm, b"GET", target(site), line))
    if answer is None:  # it hung up while we were still sending megabytes
        assert len(line) > 1 << 20
    else:
        assert_refused(answer)


@pytest.mark.parametrize(
    "line",
    [
        b"x-ms-correlation-request-id: \xff\xfe",
        b"x-ms-correlation-request-id: " + b"x" * 5000,
        b"x-ms-client-request-id: \xc3\xa4",
        b"Accept: text/html",
        b"Content-Type: image/png",
        b"If-Match: *",
        b"Cookie: \x80\x81",
    ],
    ids=lambda line: line[:34].decode("latin-1"),
)
def test_odd_headers_that_do_no_harm(arm: Cloud, site: Site, line: bytes) -> None:
    answer = ask(arm, head(arm, b"GET", target(site), line))
    assert answer is not None
    assert answer.status == 200


def test_the_host_header(arm: Cloud, site: Site) -> None:
    for host in (b"\xff\xfe", b"a b", b"x/y", b"evil\x80", b"h:port", b"[::1", b""):
        raw = head(arm, b"DELETE", target(site)).replace(b"Host: localhost", b"Host: " + host)
        assert_refused(ask(arm, raw))
    assert arm.call("GET", site.path).body["properties"]["provisioningState"] == "Succeeded"


def test_http_1_0_without_a_host(arm: Cloud, site: Site) -> None:
    raw = head(arm, b"DELETE", target(site), http=b"1.0").replace(b"Host: localhost\r\n", b"")
    answer = ask(arm, raw)
    assert answer is not None
    assert answer.headers["location"].startswith(arm.info.endpoint + "/")


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1 extra\r\n\r\n",
        b"\r\n\r\nnonsense\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x00" * 1000 + b"\r\n\r\n",
        b"G\xc3\x8bT / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=repr,
)
def test_what_is_no_http(arm: Cloud, raw: bytes) -> None:
    assert_refused(ask(arm, raw))


def test_chunked_bodies(arm: Cloud, site: Site) -> None:
    body = json.dumps({"location": LOCATION, "tags": {"by": "chunks"}}).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (1, body[at : at + 1]) for at in range(len(body)))
    opening = head(arm, b"PUT", target(site), b"Transfer-Encoding: chunked")
    answer = ask(arm, opening + chunks + b"0\r\n\r\n")
    assert answer is not None
    assert (answer.status, answer.body["tags"]) == (200, {"by": "chunks"})
    assert_refused(ask(arm, opening + b"nonsense\r\n"))
    assert_refused(ask(arm, opening + b"ffffffffffffffffff\r\n{}"))


def test_expect_100_continue(arm: Cloud, site: Site) -> None:
    body = b'{"location": "eastus"}'
    lines = [b"Expect: 100-continue", b"Content-Length: %d" % len(body)]
    with connected(arm) as sock:
        sock.sendall(head(arm, b"PUT", target(site), *lines))
        assert sock.recv(65536).startswith(b"HTTP/1.1 100 Continue\r\n")
        sock.sendall(body)
        answer = parsed(received(sock))
    assert answer is not None
    assert answer.status == 200


def test_half_requests(arm: Cloud, site: Site) -> None:
    """Clients that say less than they promise, and go away or wait."""
    whole = head(arm, b"PUT", target(site), b"Content-Length: 1000") + b'{"location": '
    for part in (whole, whole[: len(whole) // 2], b"P", b""):
        with connected(arm) as sock:
            sock.sendall(part)
    with connected(arm) as waiting:
        waiting.sendall(whole)
        assert arm.call("GET", site.path).status == 200
    short = head(arm, b"PUT", target(site), b"Content-Length: 4") + b'{"location": "eastus"}'
    assert_refused(ask(arm, short), "InvalidRequestContent", "BadRequest")


def test_pipelined_requests(arm: Cloud, site: Site) -> None:
    keep = head(arm, b"GET", target(site)).replace(b"Connection: close\r\n", b"")
    with connected(arm) as sock:
        sock.sendall(keep * 20 + head(arm, b"GET", target(site)))
        assert received(sock).count(b"HTTP/1.1 200 OK") == 21
