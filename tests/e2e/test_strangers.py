"""Mail from a host that is not this one, with second opinions: dkimpy signs, pyspf judges the sender.

The stranger lives in a network namespace, since this machine's own addresses are trusted."""

import base64
import json
import os
import pathlib
import re
import subprocess
import sys

import dkim
import nacl.signing
import pytest
import spf

import support

SERVER, STRANGER = "198.51.100.1", "198.51.100.2"


@pytest.fixture
def stranger():
    """The name of the namespace."""
    name = f"facteur{os.getpid()}"
    ours, theirs = f"fa{os.getpid()}", f"fb{os.getpid()}"
    support.run(["ip", "netns", "add", name])
    try:
        support.run(["ip", "link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name])
        support.run(["ip", "address", "add", f"{SERVER}/30", "dev", ours])
        support.run(["ip", "link", "set", ours, "up"])
        for command in (["address", "add", f"{STRANGER}/30", "dev", theirs],
                        ["link", "set", theirs, "up"], ["link", "set", "lo", "up"]):
            support.run(["ip", "-n", name, *command])
        yield name
    finally:
        # The pair goes with it.
        support.run(["ip", "netns", "delete", name])


@pytest.fixture
def world(place, stranger):
    dns = support.Dns({
        "mx.stranger.test": {"A": [STRANGER]},
        "2.100.51.198.in-addr.arpa": {"PTR": ["mx.stranger.test"]},
    })
    facteur = support.Served(place, address=SERVER,
                             settings={"queue": [f'dns_server = "{dns.address}"']})

    def deliver(*messages):
        """Code and text of each answer; a message: envelope sender and bytes."""
        path = place / "messages"
        lines = [json.dumps({"from": sender, "to": facteur.bob, "message": text.decode("latin-1")})
                 for sender, text in messages]
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        script = pathlib.Path(__file__).parent / "deliver.py"
        output = support.run(["ip", "netns", "exec", stranger, sys.executable, script, SERVER,
                              facteur.ports["smtp"], path])
        return [json.loads(line) for line in output.splitlines()]
    yield facteur, dns, deliver
    facteur.stop()
    dns.stop()


class Keys:
    """An RSA and an Ed25519 key, published."""

    def __init__(self, place, dns, domain):
        self.domain = domain.encode()
        path = place / "rsa.pem"
        support.run(["openssl", "genrsa", "-traditional", "-out", path, "2048"])
        self.rsa = path.read_bytes()
        public = support.run(["openssl", "rsa", "-in", path, "-pubout", "-outform", "DER"])
        seed = nacl.signing.SigningKey.generate()
        self.ed25519 = base64.b64encode(bytes(seed))
        for selector, kind, key in (("r", "rsa", public), ("e", "ed25519", bytes(seed.verify_key))):
            text = f"v=DKIM1; k={kind}; p={base64.b64encode(key).decode()}"
            dns.zone[f"{selector}._domainkey.{domain}"] = {"TXT": [text]}

    def sign(self, text, algorithm="rsa", canonicalize=(b"relaxed", b"relaxed")):
        key, selector, name = {
            "rsa": (self.rsa, b"r", b"rsa-sha256"),
            "ed25519": (self.ed25519, b"e", b"ed25519-sha256")}[algorithm]
        field = dkim.sign(text, selector, self.domain, key, canonicalize=canonicalize,
                          signature_algorithm=name)
        return field + text


def results(text):
    """Method to result, of the field that we wrote."""
    head = text.split(b"\r\n\r\n")[0]
    fields = re.findall(rb"(?mi)^Authentication-Results: mail\.example\.test;((?:[^\r]|\r\n[ \t])*)", head)
    assert len(fields) == 1, head
    return dict(re.findall(r"(?:^|;)\s*(\w+)=(\w+)", fields[0].decode()))


def by_subject(facteur, mailbox="INBOX"):
    return {re.search(rb"Subject: ([^\r]*)", text)[1].decode(): text
            for text in support.fetch_all(facteur, facteur.bob, mailbox)}


def test_what_dkimpy_signs_is_believed(place, world):
    facteur, dns, deliver = world
    dns.zone["_dmarc.bank.test"] = {"TXT": ["v=DMARC1; p=reject"]}
    keys = Keys(place, dns, "bank.test")
    kinds = [(a, (h, b)) for a in ("rsa", "ed25519") for h in (b"simple", b"relaxed")
             for b in (b"simple", b"relaxed")]
    body = "une ligne  \r\n.\r\n\tune  autre\r\n\r\n\r\n"
    signed = [keys.sign(support.sample(f"{algorithm}-{number}", body, sender="x@bank.test"),
                        algorithm, canonicalize)
              for number, (algorithm, canonicalize) in enumerate(kinds)]
    answers = deliver(*(("news@list.test", text) for text in signed))
    assert [code for code, _ in answers] == [250] * len(kinds), answers
    stored = by_subject(facteur)
    assert len(stored) == len(kinds)
    for text in stored.values():
        found = results(text)
        assert (found["dkim"], found["dmarc"]) == ("pass", "pass"), found
    changed = signed[0].replace(b"une ligne", b"une autre ligne")
    renamed = signed[1].replace(b"Subject: rsa-1", b"Subject: won")
    unsigned = support.sample("none", sender="x@bank.test")
    answers = deliver(*(("news@list.test", text) for text in (changed, renamed, unsigned)))
    assert [code for code, _ in answers] == [550] * 3, answers
    assert len(by_subject(facteur)) == len(kinds)


POLICIES = {
    "pass.test": "v=spf1 ip4:198.51.100.0/30 -all",
    "fail.test": "v=spf1 ip4:192.0.2.1 -all",
    "soft.test": "v=spf1 ip4:192.0.2.1 ~all",
    "neutral.test": "v=spf1 ip4:192.0.2.1 ?all",
    "silent.test": "v=spf1 ip4:192.0.2.1",
    "mx.test": "v=spf1 mx -all",
    "a.test": "v=spf1 a:mx.stranger.test/30 -all",
    "include.test": "v=spf1 include:fail.test include:pass.test -all",
    "redirect.test": "v=spf1 redirect=soft.test",
    "exists.test": "v=spf1 exists:%{ir}.%{l}.list.test -all",
    "ptr.test": "v=spf1 ptr:stranger.test -all",
    "error.test": "v=spf1 ip4:198.51.100.2/99 -all",
    "missing.test": "v=spf1 include:nowhere.test -all",
    "loop.test": "v=spf1 include:loop.test -all",
    "v6.test": "v=spf1 ip6:2001:db8::/32 -all",
}


def test_pyspf_judges_as_we_do(place, world, monkeypatch):
    facteur, dns, deliver = world
    keys = Keys(place, dns, "signs.test")
    for domain, policy in POLICIES.items():
        dns.zone[domain] = {"TXT": [policy], "MX": [(10, "mx.stranger.test")]}
    dns.zone["2.100.51.198.someone.list.test"] = {"A": ["127.0.0.2"]}
    domains = [*POLICIES, "unpublished.test"]
    letters = [(f"someone@{domain}", keys.sign(support.sample(domain, sender="x@signs.test")))
               for domain in domains]
    answers = deliver(*letters)
    assert [code for code, _ in answers] == [250] * len(domains), answers

    def look_up(name, kind, *_):
        found = dns.zone.get(str(name).rstrip(".").lower(), {}).get(kind, [])
        return [((name, kind), [value.encode()] if kind == "TXT" else value) for value in found]
    monkeypatch.setattr(spf, "DNSLookup", look_up)
    stored = by_subject(facteur)
    ours = {domain: results(stored[domain])["spf"] for domain in domains}
    theirs = {domain: spf.check2(i=STRANGER, s=f"someone@{domain}", h="mx.stranger.test")[0]
              for domain in domains}
    assert ours == theirs
    assert set(ours.values()) == {"pass", "fail", "softfail", "neutral", "none", "permerror"}
