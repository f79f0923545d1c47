"""A real Postfix in both directions, names from our own DNS server."""

import email
import smtplib
import ssl

import pytest

import support
from test_clients import fetch_all, wait_for_messages


@pytest.fixture
def pair(place):
    postfix = support.Postfix(place / "postfix", domain="remote.test")
    dns = support.Dns({
        "remote.test": {"MX": [(10, "down.remote.test"), (20, "mx.remote.test")]},
        "down.remote.test": {"A": ["127.0.0.2"]},
        "mx.remote.test": {"A": ["127.0.0.1"]},
        "nomail.test": {"MX": [(0, "")]},
    })
    facteur = support.Facteur(place, "--dns", dns.address, "--smtp-out-port", str(postfix.port))
    yield facteur, postfix, dns
    facteur.stop()
    postfix.stop()
    dns.stop()


def submit(facteur, recipients, message, sender="alice@example.test", **options):
    with smtplib.SMTP_SSL("localhost", facteur.ports["submissions"],
                          context=ssl.create_default_context(cafile=facteur.ca)) as client:
        client.login(sender, facteur.password(sender))
        assert client.sendmail(sender, recipients, message, **options) == {}


def test_we_relay_to_postfix(pair):
    facteur, postfix, dns = pair
    message = support.sample("vers postfix", ".\r\n..\r\nfin\r\n", recipient="someone@remote.test")
    submit(facteur, ["someone@remote.test", "bob@example.test"], message)
    stored = support.wait_until(lambda: postfix.messages("remote.test"), what="Postfix's mailbox")
    text = stored[0].read_bytes()
    assert text.endswith(message.replace(b"\r\n", b"\n"))
    assert b"TLS" in text and b"mail.example.test" in text.split(b"Subject:")[0]
    assert len(wait_for_messages(facteur, "bob@example.test", 1)) == 1
    assert ("remote.test", "MX") in dns.asked
    support.wait_until(lambda: facteur.command("queue", "list", "--json", "--data", facteur.data)
                       .strip() in ("[]", '{"entries":[]}', '{"queue":[]}'), what="an empty queue")


def test_postfix_relays_to_us(place):
    facteur = support.Facteur(place)
    postfix = support.Postfix(place / "postfix", domain="remote.test",
                              relay_port=facteur.ports["smtp"])
    try:
        message = support.sample("de postfix", "..\r\n.\r\nfin\r\n", sender="x@remote.test")
        with smtplib.SMTP("127.0.0.1", postfix.port) as client:
            client.sendmail("x@remote.test", ["bob@example.test"], message)
            client.sendmail("x@remote.test", ["nobody@example.test"], message)
        received = wait_for_messages(facteur, "bob@example.test", 1)
        assert received[0].endswith(message)
        assert received[0].startswith(b"Return-Path: <x@remote.test>\r\n")
        # Our 550 makes Postfix bounce to the sender, whom it delivers itself.
        bounce = support.wait_until(lambda: postfix.messages("remote.test"), what="the bounce")
        assert b"5.1.1" in bounce[0].read_bytes()
    finally:
        facteur.stop()
        postfix.stop()


def test_what_cannot_be_sent_comes_back(pair):
    facteur, postfix, dns = pair
    submit(facteur, ["a@nomail.test", "b@missing.test"], support.sample("impossible"))
    # One report for both.
    report = wait_for_messages(facteur, "alice@example.test", 1)[0]
    message = email.message_from_bytes(report)
    assert message.get_content_type() == "multipart/report"
    assert message["Return-Path"] == "<>"
    kinds = [part.get_content_type() for part in message.walk()]
    assert "message/delivery-status" in kinds
    assert b"5.1.10" in report  # RFC 7505: null MX
    for recipient in (b"a@nomail.test", b"b@missing.test"):
        assert b"Final-Recipient: rfc822; " + recipient in report, report
