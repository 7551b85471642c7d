"""HTTP of what on Azure is a storage account: blobs at URLs that need no login."""

from __future__ import annotations

from xml.sax.saxutils import escape

from aiohttp import web

from ..compute import boot_diagnostics
from ..state import Emulator

XML = '<?xml version="1.0" encoding="utf-8"?><Error><Code>{}</Code><Message>{}</Message></Error>'


def is_meant(request: web.Request) -> bool:
    return request.path.startswith(boot_diagnostics.PREFIX)


def answer(em: Emulator, request: web.Request) -> web.Response:
    query = request.query
    try:
        if request.method not in ("GET", "HEAD"):
            raise boot_diagnostics.BlobRefused(
                405, "UnsupportedHttpVerb", "The resource doesn't support specified Http Verb."
            )
        data = boot_diagnostics.read_blob(
            em, request.path, query.get("se", ""), query.get("sig", "")
        )
    except boot_diagnostics.BlobRefused as refusal:
        text = XML.format(refusal.code, escape(refusal.message))
        headers = {"x-ms-error-code": refusal.code}
        return web.Response(
            status=refusal.status, text=text, content_type="application/xml", headers=headers
        )
    return web.Response(body=data, content_type="text/plain")
