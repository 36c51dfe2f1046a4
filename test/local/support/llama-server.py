#!/usr/bin/env python3
"""Stands in for llama-server where its processes are tested, not its answers: it says which adapters were chosen.

Like the real one it takes adapters when it starts, applies all of them unless told otherwise, and ends where one of
them cannot be read: here, one that says "broken".
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

options = dict(zip(sys.argv[1:], sys.argv[2:]))
paths = [path.strip('"') for path in options.get("--lora", "").split('","') if path]
for path in [options["--model"], *paths]:
    if b"broken" in Path(path).read_bytes():
        sys.exit(f"failed to load {path}")
adapters = [{"id": number, "path": path, "scale": 1.0} for number, path in enumerate(paths)]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/v1/models":
            return self.reply({"data": [{"id": options["--alias"]}]})
        self.reply(adapters if self.path == "/lora-adapters" else {"status": "ok"})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/lora-adapters":
            for wanted in body:
                adapters[wanted["id"]]["scale"] = wanted["scale"]
            return self.reply({"success": True})
        chosen = {each["id"]: each["scale"] for each in body.get("lora") or adapters}
        text = ",".join(Path(path).stem for number, path in enumerate(paths) if chosen.get(number, 0) != 0)
        # Long enough that questions are under way when something changes.
        time.sleep(0.2)
        events = [
            {"choices": [{"delta": {"content": text}}]},
            {"choices": [{"delta": {}, "finish_reason": "stop"}]},
            {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
        ]
        data = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        self.send(data.encode(), "text/event-stream")

    def reply(self, value):
        self.send(json.dumps(value).encode(), "application/json")

    def send(self, data, kind):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


Server((options["--host"], int(options["--port"])), Handler).serve_forever()
