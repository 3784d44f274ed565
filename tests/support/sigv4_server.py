#!/usr/bin/python3
"""An HTTP server that takes a request only if botocore computes the same AWS signature for it.

Usage: sigv4_server.py PORT REGION SERVICE ACCESS_KEY_ID SECRET_ACCESS_KEY
Writes a line per request: "ok PATH" or "refused PATH: WHY". Answers as Kinesis PutRecords does.
"""
import datetime
import hashlib
import http.server
import json
import sys

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

PORT, REGION, SERVICE, KEY_ID, SECRET = sys.argv[1:6]
MINUTES = 5


def why_not(handler, body):
    """What is wrong with the signature; None: nothing."""
    header = handler.headers.get("Authorization", "")
    if not header.startswith("AWS4-HMAC-SHA256 "):
        return "no signature"
    parts = dict(part.strip().split("=", 1) for part in header.split(" ", 1)[1].split(","))
    stamp = handler.headers.get("X-Amz-Date", "")
    age = datetime.datetime.utcnow() - datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ")
    if abs(age.total_seconds()) > 60 * MINUTES:
        return "the time is " + stamp
    if parts["Credential"] != f"{KEY_ID}/{stamp[:8]}/{REGION}/{SERVICE}/aws4_request":
        return "the scope is " + parts["Credential"]
    declared = handler.headers.get("X-Amz-Content-SHA256")
    if declared not in (None, hashlib.sha256(body).hexdigest()):
        return "the hash of the body is another one"
    signed = parts["SignedHeaders"].split(";")
    needed = ["host", "x-amz-date"] + [name.lower() for name in handler.headers if name.lower().startswith("x-amz-")]
    if not set(needed) <= set(signed):
        return "not all headers are signed"
    request = AWSRequest(
        method=handler.command,
        url=f"http://{handler.headers['Host']}{handler.path}",
        data=body,
        headers={name: handler.headers[name] for name in signed},
    )
    request.context["timestamp"] = stamp
    signer = SigV4Auth(Credentials(KEY_ID, SECRET), SERVICE, REGION)
    canonical = signer.canonical_request(request)
    if signer.signature(signer.string_to_sign(request, canonical), request) != parts["Signature"]:
        return "another signature, of " + json.dumps(canonical)
    return None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        try:
            why = why_not(self, body)
        except (KeyError, ValueError) as error:
            why = repr(error)
        print(f"ok {self.path}" if why is None else f"refused {self.path}: {why}", flush=True)
        if why is not None:
            self.reply(400, {"__type": "InvalidSignatureException", "message": "The signature does not match."})
            return
        kinesis = "X-Amz-Target" in self.headers
        taken = [{"SequenceNumber": "1", "ShardId": "s-0"} for _ in json.loads(body)["Records"]] if kinesis else []
        self.reply(200, {"FailedRecordCount": 0, "Records": taken})

    def reply(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(PORT)), Handler).serve_forever()
