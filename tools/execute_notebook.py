"""Runs a notebook's cells in a kernel of their own, and puts what they show into the file.

    python tools/execute_notebook.py NOTEBOOK [--output FILE]

Ends with status 1, and writes nothing, if a cell fails. The tests run the pricer's notebook so.
"""

import argparse
import base64
import io
import json
import sys
from pathlib import Path
from typing import Any

from jupyter_client.manager import start_new_kernel
from PIL import Image

CELL_TIMEOUT_S = 300
KEPT = ("text/plain", "image/png", "text/html")
COLOURS = 96  # of an image: a quarter of the bytes, and no difference that a reader would see


class CellError(Exception):
    """A cell failed; the message has its source and the traceback."""


def execute(notebook: dict[str, Any]) -> None:
    """Run all code cells in order; their outputs are replaced. Raises CellError."""
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        number = 0
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                number += 1
                cell["outputs"], cell["execution_count"] = _run(client, cell), number
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


def _run(client: Any, cell: dict[str, Any]) -> list[dict[str, Any]]:
    outputs: list[dict[str, Any]] = []

    def keep(message: dict[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        if kind == "stream" and content["name"] == "stdout":
            if outputs and outputs[-1]["output_type"] == "stream":
                outputs[-1]["text"] += content["text"]
            else:
                outputs.append({"output_type": "stream", "name": "stdout", "text": content["text"]})
        elif kind in ("display_data", "execute_result"):
            output = {
                "output_type": kind,
                "data": _data(content["data"]),
                "metadata": {},
            }
            if kind == "execute_result":
                output["execution_count"] = content["execution_count"]
            outputs.append(output)

    source = "".join(cell["source"])
    reply = client.execute_interactive(source, output_hook=keep, timeout=CELL_TIMEOUT_S)["content"]
    if reply["status"] != "ok":
        raise CellError(f"{source}\n\n" + "\n".join(reply.get("traceback", [])))
    return outputs


def _data(data: dict[str, str]) -> dict[str, str]:
    kept = {key: value for key, value in data.items() if key in KEPT}
    if "image/png" in kept:
        image = Image.open(io.BytesIO(base64.b64decode(kept["image/png"]))).convert("RGB")
        smaller = io.BytesIO()
        image.quantize(COLOURS).save(smaller, format="PNG", optimize=True)
        kept["image/png"] = base64.b64encode(smaller.getvalue()).decode()
    return kept


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--output", type=Path, help="another file to write; else the same")
    options = parser.parse_args()
    notebook = json.loads(options.notebook.read_text(encoding="utf-8"))
    try:
        execute(notebook)
    except CellError as error:
        print(error, file=sys.stderr)
        return 1
    text = json.dumps(notebook, indent=1, ensure_ascii=False)
    (options.output or options.notebook).write_text(f"{text}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
