"""uv as a child process."""

import os
from pathlib import Path

import pytest

from ipcluster_azure.environment.uv import UvFailed, one_line, run_uv
from ipcluster_azure.errors import ConfigurationError


def test_it_is_ended_when_it_takes_too_long(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"`uv venv x` did not end within 0 s"):
        run_uv(["venv", "x"], os.environ, tmp_path, limit_s=0.001)


def test_its_words_are_one_line_without_passwords(tmp_path: Path) -> None:
    address = "https://me:s3cr3t@127.0.0.1:9/spam-1.0-py3-none-any.whl?sig=t0ken"
    (tmp_path / "in.txt").write_text(f"spam @ {address}\n")
    with pytest.raises(UvFailed) as caught:
        run_uv(["pip", "compile", "in.txt"], {**os.environ, "UV_HTTP_RETRIES": "0"}, tmp_path)
    text = one_line(caught.value.said)
    assert "127.0.0.1:9/spam-1.0-py3-none-any.whl" in text
    assert "\n" not in text
    assert "s3cr3t" not in caught.value.said
    assert "t0ken" not in caught.value.said
