"""Hands messages over SMTP, as somebody else's host does: run in a namespace of its own.

usage: deliver.py HOST PORT FILE; the file has lines of JSON {"from", "to", "message"}. Prints for each
the code and the text of the answer, as JSON."""

import json
import smtplib
import sys

host, port, path = sys.argv[1:]
with smtplib.SMTP(host, int(port), local_hostname="mx.stranger.test", timeout=60) as client:
    for line in open(path, encoding="utf-8"):
        given = json.loads(line)
        client.ehlo_or_helo_if_needed()
        client.mail(given["from"])
        code, text = client.rcpt(given["to"])
        if code == 250:
            code, text = client.data(given["message"].encode("latin-1"))
        else:
            client.rset()
        print(json.dumps([code, text.decode()]), flush=True)
