"""Signatures, with second opinions: dkimpy and opendkim. What they sign is read in test_strangers.py."""

import json
import re
import subprocess

import dkim
import pytest

import support
from test_postfix import submit


@pytest.fixture
def world(place):
    postfix = support.Postfix(place / "postfix", domain="remote.test")
    dns = support.Dns({
        "remote.test": {"MX": [(10, "mx.remote.test")]},
        "mx.remote.test": {"A": ["127.0.0.1"]},
    })
    facteur = support.Facteur(place, "--dns", dns.address, "--smtp-out-port", str(postfix.port))
    yield facteur, postfix, dns
    facteur.stop()
    postfix.stop()
    dns.stop()


def records(facteur, *options):
    """What `domain dns` prints; it ends with 1 while something is missing."""
    result = subprocess.run(
        [support.binary(), "domain", "dns", "example.test", "--json", "--data", facteur.data,
         *options], capture_output=True, text=True, timeout=60)
    assert result.returncode in (0, 1), result
    return json.loads(result.stdout)["records"]


def publish(facteur, dns):
    """The strings as they were printed; then the server has seen them."""
    for record in records(facteur, "--no-check"):
        if record["type"] == "TXT":
            text = "".join(re.findall(r'"([^"]*)"', record["value"]))
            dns.zone[record["name"]] = {"TXT": [text]}
    keys = [record for record in records(facteur) if record["purpose"] == "dkim"]
    assert [key["key"]["role"] for key in keys] == ["signs", "signs"]
    assert {key["state"] for key in keys} == {"good"}


def text_of(dns):
    def look_up(name, timeout=5):
        records = dns.zone.get(name.decode().rstrip(".").lower(), {})
        return "".join(records.get("TXT", [])).encode()
    return look_up


def test_opendkim_believes_us(place, world):
    facteur, postfix, dns = world
    publish(facteur, dns)
    submit(facteur, ["x@remote.test"], support.sample("signé", recipient="x@remote.test"))
    stored = support.wait_until(lambda: postfix.messages("remote.test"), what="Postfix's mailbox")
    text = stored[0].read_bytes().replace(b"\n", b"\r\n")
    # It asks the name server of this machine, which is ours while it runs.
    names = support.Dns(dns.zone, at=("127.0.53.1", 53))
    (place / "resolv.conf").write_text("nameserver 127.0.53.1\n")
    command = ["unshare", "--mount", "sh", "-c",
               f"mount --bind {place}/resolv.conf /etc/resolv.conf; exec opendkim-testmsg"]
    try:
        support.run(command, stdin=text)
        changed = text.replace(b"Bonjour", b"Bonsoir")
        assert changed != text
        support.run(command, stdin=changed, codes=(70,))
    finally:
        names.stop()
    asked = {name for name, kind in names.asked if kind == "TXT"}
    assert len(asked) == 2 and all("_domainkey.example.test" in name for name in asked), asked


def test_dkimpy_believes_us(world):
    facteur, postfix, dns = world
    publish(facteur, dns)
    message = support.sample("signé", "une ligne  \r\n.\r\n\r\n\r\n", recipient="x@remote.test")
    submit(facteur, ["x@remote.test"], message)
    stored = support.wait_until(lambda: postfix.messages("remote.test"), what="Postfix's mailbox")
    text = stored[0].read_bytes().replace(b"\n", b"\r\n")
    verifier = dkim.DKIM(text)
    signed = [name for name, _ in verifier.headers if name.lower() == b"dkim-signature"]
    assert len(signed) == 2
    for index in range(2):
        assert dkim.DKIM(text).verify(idx=index, dnsfunc=text_of(dns)), index
        changed = dkim.DKIM(text.replace(b"une ligne", b"une autre ligne"))
        with pytest.raises(dkim.ValidationError, match="body hash"):
            changed.verify(idx=index, dnsfunc=text_of(dns))
        changed = dkim.DKIM(b"Subject: autre\r\n" + text)
        assert not changed.verify(idx=index, dnsfunc=text_of(dns))
