"""Exim and OpenSMTPD in both directions."""

import smtplib

import pytest

import support
from peers import Exim, OpenSmtpd
from test_clients import wait_for_messages
from test_postfix import submit

PEERS = pytest.mark.parametrize("program", [Exim, OpenSmtpd])


@PEERS
def test_we_relay_to_it(place, program):
    dns = support.Dns({
        "remote.test": {"MX": [(10, "mx.remote.test")]},
        "mx.remote.test": {"A": ["127.0.0.1"]},
    })
    peer = program(place / "peer", domain="remote.test")
    facteur = support.Facteur(place, "--dns", dns.address, "--smtp-out-port", str(peer.port))
    try:
        message = support.sample("vers eux", ".\r\n..\r\nfin\r\n", recipient="x@remote.test")
        submit(facteur, ["x@remote.test"], message)
        stored = support.wait_until(peer.messages, what="its mailbox")
        text = stored[0].read_bytes().replace(b"\r\n", b"\n")
        assert text.endswith(message.replace(b"\r\n", b"\n"))
        # Under TLS, as it says itself.
        received = text.split(b"Subject:")[0]
        assert b"TLS" in received or b"esmtps" in received, received
    finally:
        facteur.stop()
        peer.stop()
        dns.stop()


@PEERS
def test_it_relays_to_us(place, program):
    facteur = support.Facteur(place)
    peer = program(place / "peer", domain="remote.test", relay_port=facteur.ports["smtp"])
    try:
        message = support.sample("d'eux", "..\r\n.\r\nfin\r\n", sender="x@remote.test")
        with smtplib.SMTP("127.0.0.1", peer.port) as client:
            client.sendmail("x@remote.test", ["bob@example.test"], message)
            client.sendmail("x@remote.test", ["nobody@example.test"], message)
        received = wait_for_messages(facteur, "bob@example.test", 1)
        assert received[0].endswith(message)
        assert received[0].startswith(b"Return-Path: <x@remote.test>\r\n")
        assert b"with ESMTPS" in received[0]
        # Our 550 makes it bounce to the sender, whom it delivers itself.
        bounce = support.wait_until(peer.messages, what="the bounce")
        assert b"5.1.1" in bounce[0].read_bytes()
    finally:
        facteur.stop()
        peer.stop()
