"""What uv takes and a machine can install passes; all else is refused, and said why."""

import re

import pytest

from ipcluster_azure.errors import ConfigurationError

from ..plans import launcher

FILE = "can't see files of this computer"
URL = "is no address of a package"
ARCHIVE = "names no wheel or source archive"
GOOD = [
    "scipy",
    " scipy >=1 ",
    "SciPy==1.*",
    "x-y_z.a",
    "httpx",
    "http",
    "pandas[excel,test]>=2,<3; python_version < '3.14' and sys_platform == 'linux'",
    "example @ https://files.example/example-1.0-py3-none-any.whl",
    "example@https://files.example/example.zip#sha256=00",
    "example @ git+https://git.example/example@v1.0#subdirectory=src",
    "example @ git+ssh://git@git.example/example ; python_version > '3'",
    "https://files.example/example-1.0.tar.gz",
    "https://user:word@files.example/example-1.0-py3-none-any.whl?x=1#sha256=00",
    "git+https://git.example/example",
    "numpy<1",
    "IPyParallel",
]
BAD = [
    ("", "it is empty"),
    (" \t", "it is empty"),
    ("scipy\r", "control characters"),
    ("scipy\n", "control characters"),
    ("scipy\nnumpy", "control characters"),
    ("scipy\0", "control characters"),
    ("\x1b[2Jscipy", "control characters"),
    ("-r requirements.txt", "options are none"),
    ("--index-url=https://index.example", "options are none"),
    (" -e .", "options are none"),
    ("no such package!!", "Expected"),
    ("scipy==", "Expected"),
    ("scipy>=1,<", "Expected"),
    ("scipy;x", "Expected"),
    ("scipy # for the fit", "Expected"),
    ("scipy pandas", "Expected"),
    ("schön", "Expected"),
    ("file:///etc/passwd", FILE),
    ("FILE:///etc/passwd", FILE),
    ("example @ file:///etc/passwd", FILE),
    ("example @ /etc/passwd", FILE),
    ("example @ example.whl", FILE),
    ("example @ C:\\example.whl", FILE),
    ("git+file:///home/me/example", FILE),
    ("C:\\example.whl", FILE),
    (".", FILE),
    ("./example", FILE),
    ("../example", FILE),
    ("~/example", FILE),
    ("/home/me/example", FILE),
    ("dist/example-1.0-py3-none-any.whl", FILE),
    ("example-1.0.tar.gz", FILE),
    ("requirements.txt", FILE),
    ("https://files.example", ARCHIVE),
    ("https://files.example/example", ARCHIVE),
    ("https://", URL),
    ("example @ https://", URL),
    ("ftp://files.example/example.whl", URL),
    ("example @ ssh://git.example/example", URL),
    ("svn+https://svn.example/example", URL),
    ("https://files.example/a b.whl", URL),
    ("https://[files.example/x.whl", "Invalid IPv6 URL"),
    ("ipyparallel==8.0", "the machines get ipyparallel"),
]


@pytest.mark.parametrize("text", GOOD)
def test_a_requirement_that_a_machine_can_install(text: str) -> None:
    assert launcher(requirements=["scipy", text]).settings().requirements == ("scipy", text)


@pytest.mark.parametrize(("text", "why"), BAD)
def test_a_requirement_that_no_machine_can_install(text: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as refused:
        launcher(requirements=["scipy", text]).settings()
    message = str(refused.value)
    assert message.startswith(f"requirements: {text!r} is not a package requirement: ")
    assert re.fullmatch(r"[^\n\r\x00\x1b]+", message)


@pytest.mark.parametrize("text", ["torch==2.14.1", " Zope.Interface == 7.0", "a==1!2.0rc1+cpu"])
def test_a_version_that_can_be_accepted(text: str) -> None:
    assert launcher(sync_accept=[text]).settings().sync_accept == (text,)


@pytest.mark.parametrize(
    "text", ["torch", "torch>=2", "torch==2.*", "torch==2,>1", "a[b]==1", "", "torch==x", "a @ x"]
)
def test_what_is_not_one_version_of_a_package(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"sync_accept: .* is not one version"):
        launcher(sync_accept=[text]).settings()


@pytest.mark.parametrize("text", ["torch>=2", "", "a b", "torch==1", "./torch"])
def test_only_a_name_can_be_left_out(text: str) -> None:
    assert launcher(sync_exclude=["Torch_Audio"]).settings().sync_exclude == ("Torch_Audio",)
    with pytest.raises(ConfigurationError, match=r"sync_exclude: .* is not the name of a package"):
        launcher(sync_exclude=[text]).settings()
