"""Signatures, with second opinions: dkimpy and OpenDKIM."""

import base64
import json
import re
import smtplib
import socket
import subprocess

import dkim
import nacl.signing
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


def own_address():
    """An address of this machine that is not its loopback."""
    addresses = support.run(["hostname", "-I"]).decode().split()
    return next((address for address in addresses if ":" not in address), None)


def rsa_key(place):
    path = place / "rsa.pem"
    support.run(["openssl", "genrsa", "-traditional", "-out", path, "2048"])
    public = support.run(["openssl", "rsa", "-in", path, "-pubout", "-outform", "DER"])
    return path, "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()


def by_opendkim(message, path):
    return support.run(["opendkim-testmsg", "-C", "-d", "signed.test", "-s", "rsa", "-k", path],
                       stdin=message)


def by_dkimpy(message, path, canonical):
    field = dkim.sign(message, b"rsa", b"signed.test", path.read_bytes(), canonicalize=canonical)
    return field + message


def by_dkimpy_ed25519(message, key):
    seed = base64.b64encode(bytes(key))
    field = dkim.sign(message, b"ed", b"signed.test", seed, signature_algorithm=b"ed25519-sha256")
    return field + message


def serve_config(place, dns, address, port, queue=""):
    """Of a server that listens on that address and port alone."""
    config = place / "facteur.toml"
    support.run([support.binary(), "setup", "example.test", "--account", "alice",
                 "-c", config, "--data", place / "data"])
    listens = "".join(f"{name} = []\n" for name in (
        "submission", "submissions", "imap", "imaps", "pop3", "pop3s", "sieve", "https"))
    text = config.read_text()
    for table, lines in (("queue", f'dns_server = "{dns.address}"\n{queue}'),
                         ("listen", f'smtp = ["{address}:{port}"]\n{listens}')):
        assert text.count(f"[{table}]\n") == 1
        text = text.replace(f"[{table}]\n", f"[{table}]\n{lines}")
    config.write_text(text)
    return config


def test_we_believe_opendkim_and_dkimpy(place):
    address = own_address()
    if address is None:
        pytest.skip("this machine has its loopback only, from which nothing is checked")
    path, record = rsa_key(place)
    ed = nacl.signing.SigningKey.generate()
    dns = support.Dns({
        "rsa._domainkey.signed.test": {"TXT": [record]},
        "ed._domainkey.signed.test": {"TXT": [
            "v=DKIM1; k=ed25519; p=" + base64.b64encode(bytes(ed.verify_key)).decode()]},
    })
    port = support.free_port()
    config = serve_config(place, dns, address, port)
    log = open(place / "serve.log", "ab")
    server = subprocess.Popen([support.binary(), "serve", "-c", config], stdout=log, stderr=log)
    try:
        support.wait_until(lambda: reachable(address, port), what="port 25")
        plain = (b"From: bob@signed.test\r\nTo: alice@example.test\r\nSubject: hello \t there\r\n"
                 b"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <%d@signed.test>\r\n\r\n"
                 b"a  line \r\n\r\n\tanother\r\n\r\n\r\n")
        made = [by_opendkim(plain % 1, path), by_dkimpy(plain % 2, path, (b"relaxed", b"relaxed")),
                by_dkimpy(plain % 3, path, (b"simple", b"simple")),
                by_dkimpy_ed25519(plain % 4, ed)]
        with smtplib.SMTP(address, port, local_hostname="mx.signed.test") as client:
            for message in made:
                client.sendmail("bob@signed.test", ["alice@example.test"], message)
            client.sendmail("bob@signed.test", ["alice@example.test"],
                            made[1].replace(b"a  line", b"a lie"))
        log_text = (place / "serve.log").read_text()
        checked = re.findall(r"sender checked.*", re.sub(r"\x1b\[[0-9;]*m", "", log_text))
        # OpenDKIM's tool signs with SHA-1, which RFC 8301 §3.1 wants nobody to believe.
        assert [re.search(r'dkim="?(\w+)', line)[1] for line in checked] == [
            "policy", "pass", "pass", "pass", "fail"]
        said = ["signed by signed.test, which vouches" in line for line in checked]
        assert said == [False, True, True, True, False], checked
    finally:
        server.terminate()
        server.wait(timeout=30)
        dns.stop()
        log.close()


def test_dkimpy_believes_our_seal(place):
    address = own_address()
    if address is None:
        pytest.skip("this machine has its loopback only, from which nothing is checked")
    postfix = support.Postfix(place / "postfix", domain="remote.test")
    path, record = rsa_key(place)
    dns = support.Dns({"rsa._domainkey.signed.test": {"TXT": [record]}})
    port = support.free_port()
    config = serve_config(place, dns, address, port,
                          f'routes = ["remote.test=127.0.0.1:{postfix.port}"]\n')
    log = open(place / "serve.log", "ab")
    server = subprocess.Popen([support.binary(), "serve", "-c", config], stdout=log, stderr=log)
    try:
        support.wait_until(lambda: reachable(address, port), what="port 25")
        facteur = [support.binary(), "--config", config]
        support.run([*facteur, "alias", "add", "away@example.test", "x@remote.test"])
        for check in ("--no-check", ""):
            shown = support.run([*facteur, "domain", "dns", "example.test", "--json",
                                 *([check] if check else [])], codes=(0, 1))
            for entry in json.loads(shown)["records"]:
                if entry["purpose"] == "dkim":
                    text = "".join(re.findall(r'"([^"]*)"', entry["value"]))
                    dns.zone[entry["name"]] = {"TXT": [text]}
        plain = (b"From: bob@signed.test\r\nTo: away@example.test\r\nSubject: hello\r\n"
                 b"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@signed.test>\r\n\r\n"
                 b"a  line \r\n\r\n")
        with smtplib.SMTP(address, port, local_hostname="mx.signed.test") as client:
            client.sendmail("bob@signed.test", ["away@example.test"],
                            by_dkimpy(plain, path, (b"relaxed", b"relaxed")))
        stored = support.wait_until(lambda: postfix.messages("remote.test"), what="the mailbox")
        text = stored[0].read_bytes().replace(b"\n", b"\r\n")
        assert re.search(rb"Return-Path: <SRS0=[a-z2-7]{8}=[a-z2-7]{2}=signed.test=bob@example.test>",
                         text)
        outcome, seals, why = dkim.arc_verify(text, dnsfunc=text_of(dns))
        assert (outcome, len(seals)) == (b"pass", 1), why
        outcome, _, _ = dkim.arc_verify(text.replace(b"a  line", b"a lie"), dnsfunc=text_of(dns))
        assert outcome == b"fail"
        assert dkim.verify(text, dnsfunc=text_of(dns)), "the author's own signature goes through"
    finally:
        server.terminate()
        server.wait(timeout=30)
        postfix.stop()
        dns.stop()
        log.close()


def reachable(address, port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0
