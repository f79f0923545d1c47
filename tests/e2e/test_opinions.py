"""Other programs' opinions: ClamAV by its milter, rspamd over HTTP."""

import base64
import contextlib
import os
import pathlib
import shutil
import smtplib
import subprocess

import pytest

import support

# What our own signature file calls a virus; only a scanner that decodes base64 finds it.
VIRUS = b"an harmless line that stands for a virus in these tests"


def message(subject, attachment, sender="x@elsewhere.test"):
    return (
        f"From: {sender}\r\nTo: bob@example.test\r\nSubject: {subject}\r\n"
        f"Date: Sun, 22 Nov 2026 10:00:00 +0100\r\nMessage-ID: <{subject}@elsewhere.test>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nBonjour.\r\n--b\r\n"
        "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
        f"Content-Disposition: attachment; filename=x.bin\r\n\r\n"
        f"{base64.b64encode(attachment).decode()}\r\n--b--\r\n"
    ).encode()


def hand_over(facteur, text, sender="x@elsewhere.test"):
    with smtplib.SMTP("127.0.0.1", facteur.ports["smtp"]) as client:
        client.sendmail(sender, ["bob@example.test"], text)


@contextlib.contextmanager
def running(command, is_up, what, log):
    with open(log, "wb") as output:
        process = subprocess.Popen([str(part) for part in command], stdout=output, stderr=output)
        try:
            def check():
                assert process.poll() is None, pathlib.Path(log).read_text()
                return is_up()
            support.wait_until(check, seconds=60, what=what)
            yield process
        finally:
            process.terminate()
            process.wait(timeout=30)


@pytest.fixture
def clamav(place):
    """The milter's socket."""
    folder = place / "clamav"
    (folder / "db").mkdir(parents=True)
    (folder / "tmp").mkdir()
    (folder / "db/ours.ndb").write_text(f"Ours.Test:0:*:{VIRUS.hex()}\n")
    for path in [folder, *folder.rglob("*")]:
        shutil.chown(path, "clamav", "clamav")
    scanner, milter = folder / "clamd.ctl", folder / "milter.ctl"
    (folder / "clamd.conf").write_text(
        f"Foreground yes\nUser clamav\nDatabaseDirectory {folder}/db\nLocalSocket {scanner}\n"
        f"TemporaryDirectory {folder}/tmp\n")
    (folder / "milter.conf").write_text(
        f"Foreground yes\nUser clamav\nClamdSocket unix:{scanner}\nMilterSocket {milter}\n"
        f"TemporaryDirectory {folder}/tmp\nOnInfected Reject\nRejectMsg it holds %v\n"
        "AddHeader Add\n")
    with running(["clamd", "-c", folder / "clamd.conf"], scanner.exists, "clamd",
                 folder / "clamd.log"), \
            running(["clamav-milter", "-c", folder / "milter.conf"], milter.exists, "its milter",
                    folder / "milter.log"):
        yield milter


def test_clamav_is_heard(place, clamav):
    facteur = support.Served(place, settings={"smtp": [f'milters = ["{clamav}"]']})
    try:
        hand_over(facteur, message("clean", b"nothing"))
        good = support.wait_for_messages(facteur, "bob@example.test", 1)[0]
        assert b"X-Virus-Status: Clean" in good
        hand_over(facteur, message("virus", b"before " + VIRUS + b" behind"))
        bad = support.wait_for_messages(facteur, "bob@example.test", 1, mailbox="Junk")[0]
        verdict = bad.split(b"X-Facteur-Verdict:")[1].split(b"\r\nSubject")[0]
        assert b"it holds Ours.Test" in verdict, verdict
        assert len(support.fetch_all(facteur, "bob@example.test")) == 1
        # Our own people are told at once and have it still.
        with smtplib.SMTP_SSL("localhost", facteur.ports["submissions"],
                              context=support.tls(facteur)) as client:
            client.login(facteur.alice, facteur.password(facteur.alice))
            text = message("mine", VIRUS, sender=facteur.alice)
            with pytest.raises(smtplib.SMTPDataError) as refused:
                client.sendmail(facteur.alice, [facteur.bob], text)
            assert refused.value.smtp_code == 554, refused.value
    finally:
        facteur.stop()


def test_mail_goes_on_when_clamav_is_gone(place):
    facteur = support.Served(place, settings={"smtp": [f'milters = ["{place}/nobody.ctl"]']})
    try:
        hand_over(facteur, message("alone", VIRUS))
        support.wait_for_messages(facteur, "bob@example.test", 1)
    finally:
        facteur.stop()
    assert "mail goes on without it" in (place / "facteur.log").read_text()


@pytest.fixture
def rspamd(place):
    """Where its worker listens; rules that ask the network are off."""
    folder = place / "rspamd"
    for path in ("conf/override.d", "conf/local.d", "db", "run", "log"):
        (folder / path).mkdir(parents=True)
        (folder / path).chmod(0o777)
    port = support.free_port()
    asking = ["rbl", "surbl", "asn", "fuzzy_check", "spf", "dkim", "arc", "dmarc", "mx_check",
              "url_redirector", "rspamd_update", "greylist", "ratelimit", "history_redis", "neural",
              "reputation", "phishing", "replies", "dkim_signing", "bimi", "hfilter", "milter_headers"]
    override = folder / "conf/override.d"
    for module in asking:
        (override / f"{module}.conf").write_text("enabled = false;\n")
    # Its list of all top-level domains takes it a minute to compile.
    (folder / "domains").write_text("test\n")
    (override / "options.inc").write_text(
        f'disable_hyperscan = true; url_tld = "{folder}/domains";\n'
        'dns { nameserver = ["127.0.0.1:1:1"]; timeout = 0.1s; retransmits = 1; }\n')
    (override / "worker-normal.inc").write_text(f'bind_socket = "127.0.0.1:{port}"; count = 1;\n')
    for worker in ("proxy", "fuzzy", "controller"):
        (override / f"worker-{worker}.inc").write_text("enabled = false;\n")
    variables = [f"--var={name}={folder / path}" for name, path in (
        ("LOCAL_CONFDIR", "conf"), ("DBDIR", "db"), ("RUNDIR", "run"), ("LOGDIR", "log"))]
    command = ["rspamd", "-f", "-i", "-u", "_rspamd", "-g", "_rspamd",
               "-c", "/etc/rspamd/rspamd.conf", *variables]
    with running(command, lambda: not support.port_is_free(port), "rspamd", folder / "output.log"):
        yield port


def test_rspamd_is_heard(place, rspamd):
    facteur = support.Served(place, settings={"smtp": [f'rspamd = "127.0.0.1:{rspamd}"']})
    # The string that every rspamd knows for junk, in two halves.
    gtube = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*" + b"GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
    try:
        hand_over(facteur, support.sample("letter", sender="x@elsewhere.test"))
        letter = support.wait_for_messages(facteur, "bob@example.test", 1)[0]
        assert b"rspamd says" in letter.split(b"\r\n\r\n")[0]
        hand_over(facteur, support.sample("offer", gtube.decode() + "\r\n", sender="x@elsewhere.test"))
        junk = support.wait_for_messages(facteur, "bob@example.test", 1, mailbox="Junk")[0]
        assert b"rspamd says 15.0" in junk.split(b"\r\n\r\n")[0], junk
    finally:
        facteur.stop()
