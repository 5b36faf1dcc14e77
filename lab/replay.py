"""Plays RIPEstat's announced-prefixes on the loopback, from a record that is shipped with the lab.

Runs on its own: ``python -I -S replay.py PORT_FILE``; standard library only. The envelope is RIPEstat's, version 1.2
[https://stat.ripe.net/docs/data-api/api-endpoints/announced-prefixes]; the prefixes are of 2026, the times are now,
and the answer says so in ``messages`` and ``server_id``.
"""

from __future__ import annotations

import csv
import json
import sys
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

ANNOUNCED: Final = Path(__file__).with_name("data") / "announced.csv"
PATH: Final = "/data/announced-prefixes/data.json"
_WINDOW: Final = timedelta(days=14)  # RIPEstat's own when none is asked for
_NOTICE: Final = "Replayed by the tokgate lab from a record of 2026; not a live answer."


def announced(asn: int) -> tuple[str, ...]:
    """The recorded prefixes of one network; none when it was not recorded."""
    lines = (line for line in ANNOUNCED.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return tuple(row["prefix"] for row in csv.DictReader(lines) if int(row["asn"]) == asn)


def envelope(asn: int, now: datetime) -> dict[str, Any]:
    """One answer as RIPEstat forms it: every prefix seen until the end of the window."""
    end, start = _stamp(now), _stamp(now - _WINDOW)
    seen = [{"starttime": start, "endtime": end}]
    return {
        "messages": [["info", _NOTICE]],
        "see_also": [],
        "version": "1.2",
        "data_call_name": "announced-prefixes",
        "data_call_status": "supported",
        "cached": False,
        "query_id": "lab-replay",
        "process_time": 1,
        "server_id": "tokgate-lab-replay",
        "build_version": "replay",
        "pipeline": "0",
        "status": "ok",
        "status_code": 200,
        "time": now.strftime("%Y-%m-%dT%H:%M:%S.%f"),
        "data": {
            "prefixes": [{"prefix": prefix, "timelines": seen} for prefix in announced(asn)],
            "query_starttime": start,
            "query_endtime": end,
            "resource": str(asn),
            "latest_time": end,
            "earliest_time": "2000-08-01T00:00:00",
        },
    }


def _stamp(at: datetime) -> str:
    """RIPEstat's times are UTC, in steps of eight hours, without a zone."""
    return at.replace(hour=at.hour - at.hour % 8, minute=0, second=0, microsecond=0).strftime("%Y-%m-%dT%H:%M:%S")


class Handler(BaseHTTPRequestHandler):
    """Answers one path and refuses the rest, so a wrong address of the real service is noticed."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        resource = parse_qs(asked.query).get("resource", [""])[0].upper().removeprefix("AS")
        if asked.path != PATH:
            self._send(404, {"status": "error", "status_code": 404, "messages": [["error", "no such data call"]]})
        elif not resource.isdecimal():
            self._send(400, {"status": "error", "status_code": 400, "messages": [["error", "resource must be an ASN"]]})
        else:
            self._send(200, envelope(int(resource), datetime.now(UTC)))

    def _send(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def serve(port_file: Path) -> None:
    """Listen on a free port of the loopback, write it to the file, serve until ended."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    draft = port_file.with_suffix(".new")
    draft.write_text(str(server.server_address[1]), encoding="utf-8")
    draft.replace(port_file)
    server.serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
