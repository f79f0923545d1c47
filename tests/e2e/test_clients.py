"""Programs that other people wrote, over TLS, against the binary a user runs."""

import email
import imaplib
import os
import poplib
import re
import shutil
import smtplib

import pytest

from recorder import Recorder
from support import append, fetch_all, imap, run, sample, tls, wait_for_messages


def test_curl(facteur, place):
    message = sample("curl", "..deux points\r\n.\r\nun point\r\n")
    (place / "message").write_bytes(message)
    credentials = f"alice@example.test:{facteur.password('alice@example.test')}"
    run(["curl", "-sS", "--ssl-reqd", "--cacert", facteur.ca, "--user", credentials,
         "--url", f"smtps://localhost:{facteur.ports['submissions']}",
         "--mail-from", "alice@example.test", "--mail-rcpt", "bob@example.test",
         "--upload-file", place / "message"])
    run(["curl", "-sS", "--ssl-reqd", "--cacert", facteur.ca, "--user", credentials,
         "--url", f"smtp://localhost:{facteur.ports['submission']}",
         "--mail-from", "alice@example.test", "--mail-rcpt", "bob@example.test",
         "--upload-file", place / "message"])
    bob = f"bob@example.test:{facteur.password('bob@example.test')}"
    by_imap = run(["curl", "-sS", "--cacert", facteur.ca, "--user", bob,
                   f"imaps://localhost:{facteur.ports['imaps']}/INBOX;UID=1"])
    assert by_imap.endswith(message)
    assert by_imap.startswith(b"Return-Path: <alice@example.test>\r\n")
    by_starttls = run(["curl", "-sS", "--ssl-reqd", "--cacert", facteur.ca, "--user", bob,
                       f"imap://localhost:{facteur.ports['imap']}/INBOX;UID=2"])
    assert by_starttls.endswith(message)
    by_pop3 = run(["curl", "-sS", "--cacert", facteur.ca, "--user", bob,
                   f"pop3s://localhost:{facteur.ports['pop3s']}/1"])
    assert by_pop3 == by_imap
    by_stls = run(["curl", "-sS", "--ssl-reqd", "--cacert", facteur.ca, "--user", bob,
                   f"pop3://localhost:{facteur.ports['pop3']}/2"])
    assert by_stls == by_starttls


def test_curl_refuses_a_wrong_password(facteur):
    for url in (f"imaps://localhost:{facteur.ports['imaps']}/INBOX",
                f"pop3s://localhost:{facteur.ports['pop3s']}/"):
        run(["curl", "-sS", "--cacert", facteur.ca, "--user", "bob@example.test:wrong", url],
            codes=(67,))


def test_swaks(facteur):
    common = ["swaks", "--server", "localhost", "--from", "alice@example.test",
              "--to", "bob@example.test", "--tls-verify", "--tls-ca-path", facteur.ca]
    run(common + ["--port", facteur.ports["smtp"], "--tls", "--body", "by port 25"])
    for options in (["--port", facteur.ports["submission"], "--tls"],
                    ["--port", facteur.ports["submissions"], "--tls-on-connect"]):
        for mechanism in ("PLAIN", "LOGIN"):
            run(common + options + ["--auth", mechanism, "--auth-user", "alice@example.test",
                                    "--auth-password", facteur.password("alice@example.test"),
                                    "--body", f"{options[-1].strip('-')} {mechanism}"])
    messages = fetch_all(facteur, "bob@example.test")
    assert len(messages) == 5
    bodies = [email.message_from_bytes(m).get_payload().strip() for m in messages]
    assert bodies[0] == "by port 25" and bodies[-1] == "tls-on-connect LOGIN"


def test_swaks_is_refused_relaying_and_unknown_people(facteur):
    common = ["swaks", "--server", "localhost", "--port", facteur.ports["smtp"],
              "--from", "x@elsewhere.test"]
    assert b"550 5.1.1" in run(common + ["--to", "nobody@example.test"], codes=(24,))
    assert b" 5.7.1" in run(common + ["--to", "someone@elsewhere.test"], codes=(24,))


def mbsync_configuration(facteur, place, address, port=None, more=""):
    (place / "mbsyncrc").write_text(f"""
IMAPAccount facteur
Host localhost
Port {port or facteur.ports['imaps']}
User {address}
Pass {facteur.password(address)}
SSLType IMAPS
CertificateFile {facteur.ca}
AuthMechs *

IMAPStore remote
Account facteur
{more}

MaildirStore local
Path {place}/maildir/
Inbox {place}/maildir/INBOX
SubFolders Verbatim

Channel all
Far :remote:
Near :local:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
""")
    (place / "maildir").mkdir(exist_ok=True)
    return ["mbsync", "-c", place / "mbsyncrc", "-a"]


def as_stored_by_maildir(message):
    return message.replace(b"\r\n", b"\n")


def without_mark(message):
    """mbsync adds a field to what it copies, to find it again."""
    return re.sub(rb"X-TUID: [^\n]*\n", b"", message)


def test_mbsync_both_ways(facteur, place):
    first, second = sample("mbsync one"), sample("mbsync two", "éàü €\r\n")
    append(facteur, "alice@example.test", first, flags=r"(\Seen)")
    append(facteur, "alice@example.test", second, mailbox="Archive")
    sync = mbsync_configuration(facteur, place, "alice@example.test")
    run(sync)
    local = list((place / "maildir/INBOX/cur").iterdir())
    assert len(local) == 1 and local[0].name.endswith(":2,S")
    archived = [p for kind in ("cur", "new") for p in (place / "maildir/Archive" / kind).iterdir()]
    assert without_mark(archived[0].read_bytes()) == as_stored_by_maildir(second)
    # Towards the server: a new message, a new mailbox, a flag and a deletion.
    (place / "maildir/INBOX/new/1.1.local").write_bytes(as_stored_by_maildir(sample("from here")))
    (place / "maildir/Voyages").mkdir()
    for kind in ("cur", "new", "tmp"):
        (place / "maildir/Voyages" / kind).mkdir()
    (place / "maildir/Voyages/new/2.1.local").write_bytes(as_stored_by_maildir(sample("billet")))
    local[0].rename(local[0].with_name(local[0].name.replace(":2,S", ":2,FS")))
    archived[0].unlink()
    run(sync)
    run(sync)
    inbox = fetch_all(facteur, "alice@example.test")
    assert len(inbox) == 2 and sum(b"Subject: from here" in m for m in inbox) == 1
    assert len(fetch_all(facteur, "alice@example.test", "Voyages")) == 1
    with imap(facteur, "alice@example.test") as client:
        client.select("INBOX", readonly=True)
        assert client.uid("SEARCH", "FLAGGED")[1] == [b"1"]
        assert client.select("Archive", readonly=True)[1] == [b"0"]


def test_mbsync_compresses_and_moves_to_the_trash(facteur, place):
    """What mbsync 1.4 uses beyond the basics; it knows neither CONDSTORE nor QRESYNC."""
    for number in range(20):
        append(facteur, "alice@example.test", sample(f"mbsync {number}"))
    recorder = Recorder(facteur)
    sync = mbsync_configuration(facteur, place, "alice@example.test", recorder.port, "Trash Trash")
    run(sync)
    assert recorder.said("COMPRESS DEFLATE") and recorder.said("UID FETCH")
    recorder.forget()
    run(sync)
    assert recorder.said("UID FETCH") and not recorder.heard(r"BODY\[\]")
    for path in (place / "maildir/INBOX").glob("*/*"):
        if b"Subject: mbsync 7\n" in path.read_bytes():
            path.unlink()
    run(sync)
    assert recorder.said(r"UID MOVE 8 ")
    assert len(fetch_all(facteur, "alice@example.test")) == 19
    trash = fetch_all(facteur, "alice@example.test", "Trash")
    assert len(trash) == 1 and b"Subject: mbsync 7\r\n" in trash[0]
    recorder.stop()


@pytest.mark.parametrize("compress", [False, True])
def test_offlineimap_both_ways(facteur, place, compress):
    """offlineimap3 knows neither CONDSTORE nor QRESYNC, but COMPRESS."""
    recorder = Recorder(facteur)
    message = sample("offlineimap", "corps\r\n")
    append(facteur, "alice@example.test", message)
    (place / "rc").write_text(f"""
[general]
accounts = a
metadata = {place}/metadata
ui = quiet
[Account a]
localrepository = local
remoterepository = remote
[Repository local]
type = Maildir
localfolders = {place}/maildir
[Repository remote]
type = IMAP
remotehost = localhost
remoteport = {recorder.port}
remoteuser = alice@example.test
remotepass = {facteur.password('alice@example.test')}
ssl = yes
sslcacertfile = {facteur.ca}
usecompression = {"yes" if compress else "no"}
""")
    command = ["offlineimap", "-c", place / "rc", "-o"]
    run(command)
    local = [p for kind in ("cur", "new") for p in (place / "maildir/INBOX" / kind).iterdir()]
    assert len(local) == 1
    assert local[0].read_bytes().replace(b"\r\n", b"\n").endswith(b"\n\ncorps\n")
    (place / "maildir/INBOX/new/9.9.here").write_bytes(as_stored_by_maildir(sample("up")))
    run(command)
    assert any(b"Subject: up" in m for m in fetch_all(facteur, "alice@example.test"))
    for path in (place / "maildir/INBOX").glob("*/*"):
        if b"Subject: offlineimap" in path.read_bytes():
            path.unlink()
    run(command)
    left = fetch_all(facteur, "alice@example.test")
    assert len(left) == 1 and b"Subject: up" in left[0]
    assert bool(recorder.said("COMPRESS DEFLATE")) == compress
    recorder.stop()


@pytest.mark.parametrize("keep", [True, False])
def test_fetchmail(facteur, place, keep):
    messages = [sample(f"fetchmail {n}", ".\r\n..\r\nfin\r\n") for n in range(3)]
    for message in messages:
        append(facteur, "bob@example.test", message)
    for protocol, port in (("POP3", "pop3s"), ("IMAP", "imaps")):
        mailbox = place / f"box-{protocol}"
        configuration = place / f"fetchmailrc-{protocol}"
        configuration.write_text(
            f'poll localhost protocol {protocol} port {facteur.ports[port]} uidl\n'.replace(
                " uidl", " uidl" if protocol == "POP3" else "")
            + f'  user "bob@example.test" password "{facteur.password("bob@example.test")}"\n'
            + f'  options ssl sslcertck sslcertfile "{facteur.ca}" {"keep" if keep else "nokeep"} '
            + f'mda "cat >> {mailbox}"\n')
        configuration.chmod(0o600)
        command = ["fetchmail", "-f", configuration, "--pidfile", place / "pid",
                   "--idfile", place / f"ids-{protocol}", "--nosyslog"]
        environment = {"HOME": str(place), "FETCHMAILHOME": str(place)}
        gone = not keep and protocol == "IMAP"
        run(command, environment=environment, codes=(1,) if gone else (0,))
        if gone:
            break
        text = mailbox.read_bytes()
        assert all(f"Subject: fetchmail {n}".encode() in text for n in range(3))
        assert text.count(b"\n.\n..\nfin\n") == 3
        run(command, environment=environment, codes=(1,))
    assert len(fetch_all(facteur, "bob@example.test")) == (3 if keep else 0)


@pytest.mark.parametrize("kind,port", [("SimplePOP3SSLRetriever", "pop3s"),
                                       ("SimpleIMAPSSLRetriever", "imaps")])
def test_getmail(facteur, place, kind, port):
    append(facteur, "bob@example.test", sample("getmail", "corps\r\n"))
    for name in ("cur", "new", "tmp"):
        (place / "box" / name).mkdir(parents=True)
    # getmail refuses to deliver as root.
    user = ""
    if os.geteuid() == 0:
        user = "user = nobody"
        for path in (place / "box", *(place / "box").iterdir()):
            shutil.chown(path, "nobody")
    (place / "getmailrc").write_text(f"""
[retriever]
type = {kind}
server = localhost
port = {facteur.ports[port]}
username = bob@example.test
password = {facteur.password('bob@example.test')}
ca_certs = {facteur.ca}
[destination]
type = Maildir
path = {place}/box/
{user}
[options]
delete = true
read_all = false
""")
    run(["getmail", "--getmaildir", place, "--rcfile", place / "getmailrc"])
    stored = list((place / "box/new").iterdir())
    assert len(stored) == 1 and stored[0].read_bytes().endswith(b"\n\ncorps\n")
    assert fetch_all(facteur, "bob@example.test") == []


def test_neomutt_in_batch_mode(facteur, place):
    attachment = place / "note.txt"
    attachment.write_text("pièce jointe\n")
    (place / "muttrc").write_text(f"""
set from = "alice@example.test"
set realname = "Alice"
set smtp_url = "smtps://alice%40example.test@localhost:{facteur.ports['submissions']}/"
set smtp_pass = "{facteur.password('alice@example.test')}"
set imap_pass = "{facteur.password('alice@example.test')}"
set imap_user = "alice@example.test"
set folder = "imaps://localhost:{facteur.ports['imaps']}/"
set spoolfile = "+INBOX"
set record = ""
set certificate_file = "{facteur.ca}"
set ssl_ca_certificates_file = "{facteur.ca}"
set ssl_verify_host = yes
set send_charset = "utf-8"
set sleep_time = 0
set copy = no
# Debian's neomutt takes SCRAM-SHA-256-PLUS when it is offered and then has no channel binding.
set smtp_authenticators = "plain"
set imap_authenticators = "login"
set mbox_type = mbox
set confirmcreate = no
set confirmappend = no
set quit = yes
set wait_key = no
""")
    run(["neomutt", "-n", "-F", place / "muttrc", "-s", "écrit par neomutt", "-a", attachment,
         "--", "bob@example.test"], stdin="Voici la note.\n".encode(),
        environment={"HOME": str(place), "TERM": "dumb"})
    received = fetch_all(facteur, "bob@example.test")
    assert len(received) == 1
    message = email.message_from_bytes(received[0])
    parts = [p for p in message.walk() if p.get_filename() == "note.txt"]
    assert parts[0].get_payload(decode=True).split() == ["pièce".encode(), b"jointe"]
    # Reading: neomutt opens the mailbox, saves a copy to a local mbox and leaves.
    append(facteur, "alice@example.test", sample("pour neomutt", "lu par neomutt\r\n"))
    copy = place / "copie"
    keys = f"<first-entry><copy-message><kill-line>{copy}<enter><exit>"
    run(["script", "-qec", f"neomutt -n -F {place}/muttrc -e 'push \"{keys}\"'", "/dev/null"],
        environment={"HOME": str(place), "TERM": "xterm"}, stdin=b"")
    assert b"lu par neomutt" in copy.read_bytes()


def test_python_standard_library(facteur):
    message = sample("python", "une ligne\r\n.\r\n" + "x" * 900 + "\r\n")
    password = facteur.password("alice@example.test")
    with smtplib.SMTP("localhost", facteur.ports["submission"]) as client:
        client.starttls(context=tls(facteur))
        client.login("alice@example.test", password)
        assert client.sendmail("alice@example.test",
                               ["bob@example.test", "alice@example.test"], message,
                               mail_options=["BODY=8BITMIME"]) == {}
        with pytest.raises(smtplib.SMTPSenderRefused):
            client.sendmail("bob@example.test", ["bob@example.test"], message)
    received = fetch_all(facteur, "bob@example.test")
    assert len(received) == 1 and received[0].endswith(message)
    client = poplib.POP3_SSL("localhost", facteur.ports["pop3s"], context=tls(facteur))
    client.user("bob@example.test")
    client.pass_(facteur.password("bob@example.test"))
    count, size = client.stat()
    assert (count, size) == (1, len(received[0]))
    assert b"\r\n".join(client.retr(1)[1]) + b"\r\n" == received[0]
    identifier = client.uidl(1).split()[2]
    client.dele(1)
    client.close()  # dropped without QUIT: nothing is deleted
    client = poplib.POP3_SSL("localhost", facteur.ports["pop3s"], context=tls(facteur))
    client.user("bob@example.test")
    client.pass_(facteur.password("bob@example.test"))
    assert client.uidl(1).split()[2] == identifier
    client.dele(1)
    client.quit()
    assert fetch_all(facteur, "bob@example.test") == []


def test_python_imap_session(facteur):
    with imap(facteur, "alice@example.test") as client:
        assert client.create("Projets/2026")[0] == "OK"
        for number in range(5):
            client.append("Projets/2026", r"(\Flagged)" if number == 2 else "()", None,
                          sample(f"message {number}"))
        assert client.select("Projets/2026")[1] == [b"5"]
        assert client.uid("SEARCH", "SUBJECT", '"message 3"')[1] == [b"4"]
        assert client.uid("STORE", "1:2", "+FLAGS.SILENT", r"(\Deleted)")[0] == "OK"
        assert client.expunge()[1] in ([b"1", b"1"], [b"2", b"1"])
        assert client.uid("COPY", "3", "Archive")[0] == "OK"
        assert client.select("Archive")[1] == [b"1"]
        kind, data = client.fetch("1", "(FLAGS ENVELOPE BODYSTRUCTURE)")
        assert kind == "OK" and rb"\Flagged" in b"".join(
            p if isinstance(p, bytes) else b"".join(p) for p in data)
        kind, listed = client.list()
        assert kind == "OK" and any(b"Projets/2026" in line for line in listed)


def test_connections_in_the_clear_take_no_password(facteur):
    client = imaplib.IMAP4("localhost", facteur.ports["imap"])
    assert "LOGINDISABLED" in client.capabilities
    with pytest.raises(imaplib.IMAP4.error):
        client.login("alice@example.test", facteur.password("alice@example.test"))
    client.shutdown()
    client = poplib.POP3("localhost", facteur.ports["pop3"])
    with pytest.raises(poplib.error_proto):
        client.user("alice@example.test")
        client.pass_(facteur.password("alice@example.test"))
    client.close()
    with smtplib.SMTP("localhost", facteur.ports["submission"]) as client:
        client.ehlo()
        assert not client.has_extn("auth")
        assert client.docmd("AUTH", "PLAIN AGFsaWNlAHg=")[0] in (530, 538)


def test_data_survives_a_restart(facteur, place):
    append(facteur, "alice@example.test", sample("durable"))
    before = fetch_all(facteur, "alice@example.test")
    facteur.stop()
    facteur.command("store", "verify", "--data", facteur.data)
    facteur.start()
    assert fetch_all(facteur, "alice@example.test") == before


def sieve_connect(facteur, *options, codes=(0,)):
    command = ["sieve-connect", "--server", "localhost", "--4", "--port", facteur.ports["sieve"],
               "--user", "bob@example.test", "--tlscafile", facteur.ca, "--passwordfd", "0"]
    password = facteur.password("bob@example.test").encode() + b"\n"
    return run(command + list(options), codes=codes, stdin=password)


def test_sieve_connect(facteur, place):
    script = place / "main.sieve"
    script.write_text('require "fileinto";\r\nif header :is "subject" "sieved" { fileinto "Archive"; }\r\n')
    bad = place / "bad.sieve"
    bad.write_text("frob;\r\n")
    upload = ["--localsieve", script, "--remotesieve", "main", "--upload"]
    sieve_connect(facteur, *upload)
    sieve_connect(facteur, "--remotesieve", "main", "--activate")
    assert b'"main" ACTIVE' in sieve_connect(facteur, "--list")
    kept = sieve_connect(facteur, "--localsieve", "-", "--remotesieve", "main", "--download")
    assert kept.split() == script.read_bytes().split()
    sieve_connect(facteur, "--localsieve", bad, "--remotesieve", "bad", "--upload",
                  codes=range(1, 256))
    run(["swaks", "--server", "localhost", "--port", facteur.ports["smtp"], "--from",
         "alice@example.test", "--to", "bob@example.test", "--header", "Subject: sieved"])
    with imap(facteur, "bob@example.test") as bob:
        assert bob.select("Archive", readonly=True)[1] == [b"1"]
    sieve_connect(facteur, "--deactivate")
    sieve_connect(facteur, "--remotesieve", "main", "--delete")
