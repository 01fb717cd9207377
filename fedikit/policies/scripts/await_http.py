#!/usr/bin/python3 -I
# ruff: noqa: S310 - the address is one of this host
"""Waits until a server on this host answers an HTTP request with success: URL, Host header (or -), seconds.

In vain where systemd says whose server it is, by MAINPID, and that has ended.
"""

import os
import sys
import time
import urllib.request

url, domain, seconds = sys.argv[1:]
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
request = urllib.request.Request(url, headers={"X-Forwarded-Proto": "https"})
if domain != "-":
    request.add_header("Host", domain)
main = os.environ.get("MAINPID", "self")
end, last = time.monotonic() + float(seconds), "no answer"
while time.monotonic() < end:
    try:
        with direct.open(request, timeout=5):
            sys.exit(0)
    except OSError as error:
        last = str(error)
    if not os.path.exists(f"/proc/{main}"):
        sys.exit(f"{url} does not answer, for its server has ended: {last}")
    time.sleep(0.1)
sys.exit(f"{url} did not answer within {seconds} s: {last}")
