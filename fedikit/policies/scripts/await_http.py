#!/usr/bin/python3 -I
# ruff: noqa: S310 - the address is one of this host
"""Waits until a server on this host answers an HTTP request with success: URL, Host header (or -), seconds."""

import sys
import time
import urllib.request

url, domain, seconds = sys.argv[1:]
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
request = urllib.request.Request(url, headers={"X-Forwarded-Proto": "https"})
if domain != "-":
    request.add_header("Host", domain)
end, last = time.monotonic() + float(seconds), "no answer"
while time.monotonic() < end:
    try:
        with direct.open(request, timeout=5):
            sys.exit(0)
    except OSError as error:
        last = str(error)
    time.sleep(0.1)
sys.exit(f"{url} did not answer within {seconds} s: {last}")
