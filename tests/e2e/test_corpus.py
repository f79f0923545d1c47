"""Every sample of other people's mail goes in and comes back byte for byte."""

import imaplib
import poplib
import smtplib
import ssl

import pytest

import support

SAMPLES = sorted(p for p in support.SAMPLES.rglob("*") if p.is_file())


def on_the_wire(raw):
    """As a client sends it: no mbox line, line ends CRLF, no lone CR or LF."""
    if raw.startswith(b"From "):
        raw = raw.split(b"\n", 1)[1] if b"\n" in raw else b""
    text = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    return text if text.endswith(b"\r\n") else text + b"\r\n"


@pytest.fixture(scope="module")
def samples():
    assert len(SAMPLES) > 900, "the samples are missing"
    return [(path, path.read_bytes()) for path in SAMPLES]


def imap(facteur, address):
    context = ssl.create_default_context(cafile=facteur.ca)
    client = imaplib.IMAP4_SSL("localhost", facteur.ports["imaps"], ssl_context=context)
    client.login(address, facteur.password(address))
    return client


def whole(client, uid):
    kind, data = client.uid("FETCH", str(uid), "(BODY.PEEK[])")
    assert kind == "OK"
    return next(part[1] for part in data if isinstance(part, tuple))


def test_append_and_read_back(facteur, samples):
    address = "alice@example.test"
    kept = []
    with imap(facteur, address) as client:
        client.select("INBOX")
        for path, raw in samples:
            # As it is on disk: APPEND takes any bytes but NUL (RFC 9051 §4.3).
            if not raw:
                continue
            try:
                kind, answer = client.append("INBOX", "()", None, raw)
            except imaplib.IMAP4.error as error:
                kind, answer = "BAD", [str(error).encode()]
            if b"\0" in raw:
                assert kind in ("NO", "BAD"), (path, answer)
                continue
            assert kind == "OK", (path, answer)
            kept.append((path, raw))
        assert len(kept) > 800
        assert client.select("INBOX")[1] == [str(len(kept)).encode()]
        for uid, (path, raw) in enumerate(kept, 1):
            assert whole(client, uid) == raw, path
        kind, data = client.uid("FETCH", "1:*", "(ENVELOPE BODYSTRUCTURE RFC822.SIZE)")
        assert kind == "OK"


@pytest.fixture(autouse=True)
def keep_line_ends(monkeypatch):
    """imaplib rewrites line ends of what it appends; these samples go as they are."""
    class Same:
        @staticmethod
        def sub(_, text):
            return text
    monkeypatch.setattr(imaplib, "MapCRLF", Same)


def test_smtp_and_read_back_by_pop3_and_imap(facteur, samples):
    address = "bob@example.test"
    kept = []
    with smtplib.SMTP("localhost", facteur.ports["smtp"]) as client:
        client.ehlo("client.test")
        for path, raw in samples:
            message = with_from(on_the_wire(raw))
            client.docmd("MAIL", "FROM:<sender@elsewhere.test> BODY=8BITMIME")
            assert client.docmd("RCPT", f"TO:<{address}>")[0] == 250
            assert client.docmd("DATA")[0] == 354
            client.send(stuffed(message) + b".\r\n")
            code, text = client.getreply()
            if code != 250:
                # Whom would a reader be shown? The sample has two of them, or nobody in it.
                argued = refusal_is_argued(message) or text.endswith(b"one From field")
                assert 500 <= code < 600 and argued, (path, code, text)
                continue
            kept.append((path, message))
    assert len(kept) > 500
    with imap(facteur, address) as client:
        assert client.select("INBOX")[1] == [str(len(kept)).encode()]
        for uid, (path, message) in enumerate(kept, 1):
            received = whole(client, uid)
            assert received.endswith(message) and received.startswith(b"Return-Path:"), path
    pop = poplib.POP3_SSL("localhost", facteur.ports["pop3s"],
                          context=ssl.create_default_context(cafile=facteur.ca))
    poplib._MAXLINE = 1 << 20
    pop.user(address)
    pop.pass_(facteur.password(address))
    assert pop.stat()[0] == len(kept)
    for number, (path, message) in enumerate(kept, 1):
        received = b"".join(line + b"\r\n" for line in pop.retr(number)[1])
        assert received.endswith(message), path
    pop.quit()


def with_from(message):
    """Port 25 takes no message without From (RFC 5322 §3.6); many samples are parts of messages."""
    head = b"\r\n" + message.split(b"\r\n\r\n")[0].lower()
    return message if b"\r\nfrom" in head else b"From: sample@elsewhere.test\r\n" + message


def stuffed(message):
    """RFC 5321 §4.5.2."""
    text = message.replace(b"\r\n.", b"\r\n..")
    return b"." + text if text.startswith(b".") else text


def refusal_is_argued(message):
    """What may be refused: NUL (RFC 5321 §4.5.2), lines over the limit, mail that loops."""
    longest = max(len(line) for line in message.split(b"\r\n"))
    return b"\0" in message or longest > 998 or message.lower().count(b"\r\nreceived:") >= 30
