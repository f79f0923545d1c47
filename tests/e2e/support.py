"""The server under test, a DNS server and a Postfix of our own, all on loopback; short ways to look
at a mailbox."""

import contextlib
import imaplib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SAMPLES = ROOT.parent / "shared" / "data" / "mime"
STANDARD_PORTS = (25, 110, 143, 443, 465, 587, 993, 995, 4190)


def binary():
    target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))
    path = pathlib.Path(os.environ.get("FACTEUR", f"{target}/release/facteur"))
    assert path.exists(), f"{path} is missing: cargo build --release makes it"
    return str(path)


def libraries():
    """Where ./test put the client libraries that Debian has no package of."""
    target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))
    path = pathlib.Path(os.environ.get("CLIENT_LIBRARIES", f"{target}/clients"))
    assert path.exists(), f"{path} is missing: tests/e2e/install {path} makes it"
    return path


def port_is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_offset():
    for _ in range(200):
        offset = random.randrange(21000, 31000, 1000)
        if all(port_is_free(offset + port) for port in STANDARD_PORTS):
            return offset
    raise AssertionError("no block of free ports")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds=30, what="the condition"):
    """Polls what another program does (a mailbox, a file, a port); gives what it answered."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"gave up waiting for {what}"
        select_pause()


def select_pause():
    threading.Event().wait(0.05)


class Facteur:
    """`facteur demo` in a directory of its own."""

    def __init__(self, directory, *options, empty=True, offset=None):
        self.directory = pathlib.Path(directory)
        self.options = options
        self.empty = empty
        self.offset = offset or free_offset()
        self.process = None
        self.start()

    def start(self):
        command = [binary(), "demo", "--json", "--port-offset", str(self.offset),
                   "--data", str(self.directory / "data"), *self.options]
        if self.empty:
            command.append("--empty")
        self.log = open(self.directory / "facteur.log", "ab")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log)
        line = self.process.stdout.readline()
        assert line, (self.directory / "facteur.log").read_text()
        self.info = json.loads(line)
        assert self.info["ready"] is True
        self.ports = self.info["ports"]
        self.ca = self.info["ca"]
        self.data = self.info["data"]
        self.passwords = {a["address"]: a["password"] for a in self.info["accounts"]}
        self.alice = "alice@example.test"
        self.bob = "bob@example.test"

    def password(self, address):
        return self.passwords[address]

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(timeout=30) == 0, (self.directory / "facteur.log").read_text()
        self.process.stdout.close()
        self.log.close()

    def command(self, *arguments):
        result = subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=60)
        assert result.returncode == 0, (arguments, result.stdout, result.stderr)
        return result.stdout


class Dns:
    """Answers MX, A, AAAA, PTR and TXT over UDP from a dictionary, which may grow; NXDOMAIN for all else."""

    TYPES = {1: "A", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA"}

    def __init__(self, zone, at=("127.0.0.1", 0)):
        self.zone = zone
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(at)
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                packet, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            with contextlib.suppress(Exception):
                self.socket.sendto(self.answer(packet), peer)

    def answer(self, packet):
        labels, position = [], 12
        while packet[position]:
            length = packet[position]
            labels.append(packet[position + 1:position + 1 + length].decode())
            position += 1 + length
        question_end = position + 5
        kind = self.TYPES.get(struct.unpack(">H", packet[position + 1:position + 3])[0])
        name = ".".join(labels).lower()
        self.asked.append((name, kind))
        records = self.zone.get(name)
        answers = [self.record(kind, value) for value in (records or {}).get(kind, [])]
        flags = 0x8580 if records is not None else 0x8583
        header = packet[:2] + struct.pack(">HHHHH", flags, 1, len(answers), 0, 0)
        return header + packet[12:question_end] + b"".join(answers)

    @staticmethod
    def name(text):
        return b"".join(bytes([len(l)]) + l.encode() for l in text.split(".") if l) + b"\0"

    def record(self, kind, value):
        if kind == "A":
            code, data = 1, socket.inet_aton(value)
        elif kind == "AAAA":
            code, data = 28, socket.inet_pton(socket.AF_INET6, value)
        elif kind == "PTR":
            code, data = 12, self.name(value)
        elif kind == "MX":
            code, data = 15, struct.pack(">H", value[0]) + self.name(value[1])
        else:
            text = value.encode()
            strings = [text[at:at + 255] for at in range(0, len(text), 255)]
            code, data = 16, b"".join(bytes([len(string)]) + string for string in strings)
        return b"\xc0\x0c" + struct.pack(">HHIH", code, 1, 60, len(data)) + data

    def stop(self):
        self.socket.close()


class Postfix:
    """A Postfix with its own queue and configuration; it delivers to Maildirs, relays the rest."""

    def __init__(self, directory, *, domain, relay_port=None):
        self.directory = pathlib.Path(directory)
        # Postfix wants short socket paths and directories that its own user may enter.
        self.config = self.directory / "etc"
        self.spool = self.directory / "spool"
        self.state = self.directory / "lib"
        self.mail = self.directory / "mail"
        for path in (self.config, self.spool, self.state, self.mail):
            path.mkdir(parents=True)
        self.directory.chmod(0o755)
        self.port = free_port()
        shutil.chown(self.state, "postfix")
        shutil.copy("/usr/share/postfix/main.cf.debian", self.config / "main.cf")
        settings = {
            "compatibility_level": "3.6",
            "queue_directory": self.spool, "data_directory": self.state,
            "myhostname": f"mx.{domain}", "mydomain": domain, "mydestination": "",
            "mynetworks": "127.0.0.0/8", "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4",
            "virtual_mailbox_domains": domain, "virtual_mailbox_base": self.mail,
            "virtual_mailbox_maps": f"static:{domain}/box/",
            "virtual_uid_maps": "static:65534", "virtual_gid_maps": "static:65534",
            "alias_maps": "", "alias_database": "", "local_recipient_maps": "",
            "maillog_file": self.directory / "postfix.log",
            "maillog_file_prefixes": self.directory,
            "smtp_dns_support_level": "disabled", "smtp_host_lookup": "native",
            "smtp_tls_security_level": "may", "smtputf8_enable": "yes",
            "smtpd_tls_security_level": "may",
            "smtpd_tls_cert_file": self.directory / "cert.pem",
            "smtpd_tls_key_file": self.directory / "key.pem",
        }
        if relay_port:
            settings["relayhost"] = f"[127.0.0.1]:{relay_port}"
        (self.config / "main.cf").write_text(
            "".join(f"{name} = {value}\n" for name, value in settings.items()))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
             "-subj", f"/CN=mx.{domain}", "-keyout", str(self.directory / "key.pem"),
             "-out", str(self.directory / "cert.pem")], check=True, capture_output=True)
        shutil.chown(self.mail, "nobody", "nogroup")
        self.write_services()
        subprocess.run(["postfix", "-c", str(self.config), "start"], check=True,
                       capture_output=True, timeout=60)
        wait_until(lambda: not port_is_free(self.port), what="Postfix")

    def write_services(self):
        lines = [
            f"127.0.0.1:{self.port} inet n - n - - smtpd",
            "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr",
            "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce",
            "defer unix - - n - 0 bounce", "trace unix - - n - 0 bounce",
            "verify unix - - n - 1 verify", "flush unix n - n 1000? 0 flush",
            "proxymap unix - - n - - proxymap", "smtp unix - - n - - smtp",
            "relay unix - - n - - smtp", "error unix - - n - - error",
            "retry unix - - n - - error", "discard unix - - n - - discard",
            "virtual unix - n n - - virtual", "anvil unix - - n - 1 anvil",
            "scache unix - - n - 1 scache", "tlsmgr unix - - n 1000? 1 tlsmgr",
            "postlog unix-dgram n - n - 1 postlogd",
        ]
        (self.config / "master.cf").write_text("\n".join(lines) + "\n")

    def messages(self, domain):
        return sorted((self.mail / domain / "box" / "new").glob("*"))

    def log(self):
        path = self.directory / "postfix.log"
        return path.read_text() if path.exists() else ""

    def stop(self):
        subprocess.run(["postfix", "-c", str(self.config), "stop"], capture_output=True, timeout=60)


@contextlib.contextmanager
def directory():
    path = tempfile.mkdtemp(prefix="facteur-")
    try:
        yield pathlib.Path(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)


def sample(subject, body="Bonjour,\r\n\r\nà bientôt.\r\n", sender="alice@example.test",
           recipient="bob@example.test"):
    """A small message with CRLF line ends."""
    return (
        f"From: Alice <{sender}>\r\nTo: Bob <{recipient}>\r\nSubject: {subject}\r\n"
        f"Date: Sun, 22 Nov 2026 10:00:00 +0100\r\nMessage-ID: <{subject.replace(' ', '.')}@example.test>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\n" + body
    ).encode()


def run(command, *, environment=None, stdin=None, codes=(0,), seconds=90):
    result = subprocess.run(
        [str(part) for part in command], input=stdin, capture_output=True, timeout=seconds,
        env={**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})})
    assert result.returncode in codes, (command, result.returncode, result.stdout[-3000:],
                                        result.stderr[-3000:])
    return result.stdout


def tls(facteur):
    return ssl.create_default_context(cafile=facteur.ca)


def imap(facteur, address):
    client = imaplib.IMAP4_SSL("localhost", facteur.ports["imaps"], ssl_context=tls(facteur))
    client.login(address, facteur.password(address))
    return client


def append(facteur, address, message, mailbox="INBOX", flags="()"):
    with imap(facteur, address) as client:
        assert client.append(mailbox, flags, None, message)[0] == "OK"


def fetch_all(facteur, address, mailbox="INBOX"):
    """Whole messages, by uid."""
    with imap(facteur, address) as client:
        assert client.select(mailbox, readonly=True)[0] == "OK"
        kind, data = client.uid("FETCH", "1:*", "(BODY.PEEK[])")
        assert kind == "OK"
        return [part[1] for part in data if isinstance(part, tuple)]


def flags(facteur, address, mailbox="INBOX"):
    """Subject to flags."""
    with imap(facteur, address) as client:
        assert client.select(f'"{mailbox}"', readonly=True)[0] == "OK"
        data = client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
    found = {}
    for part in data:
        if isinstance(part, tuple):
            subject = re.search(rb"Subject: ([^\r]*)", part[1])[1].decode()
            found[subject] = set(re.search(rb"FLAGS \(([^)]*)\)", part[0])[1].decode().split())
    return found


def wait_for_messages(facteur, address, count, mailbox="INBOX"):
    return wait_until(lambda: (lambda m: m if len(m) >= count else None)(
        fetch_all(facteur, address, mailbox)), what=f"{count} messages")


class Served(Facteur):
    """`facteur serve` with port 25 on `address`, set up for example.test with alice and bob;
    `settings`: section to lines."""

    ROLES = {"smtp": 25, "submission": 587, "submissions": 465, "imap": 143, "imaps": 993,
             "pop3": 110, "pop3s": 995, "sieve": 4190, "https": 443}

    def __init__(self, directory, *, address="127.0.0.1", settings=None):
        self.address, self.settings = address, settings or {}
        super().__init__(directory)

    def start(self):
        self.data = str(self.directory / "data")
        self.ca = str(self.directory / "cert.pem")
        self.configuration = self.directory / "facteur.toml"
        self.alice, self.bob = "alice@example.test", "bob@example.test"
        self.passwords = {who: f"{who} and a long word" for who in (self.alice, self.bob)}
        self.ports = {role: self.offset + port for role, port in self.ROLES.items()}
        if not self.configuration.exists():
            self.set_up()
        path = self.directory / "facteur.log"
        self.log = open(path, "wb")
        self.process = subprocess.Popen([binary(), "serve", "-c", str(self.configuration)],
                                        stdout=subprocess.PIPE, stderr=self.log)

        def is_ready():
            assert self.process.poll() is None, path.read_text()
            return " ready " in path.read_text()
        wait_until(is_ready, what="the server")

    def set_up(self):
        key = self.directory / "key.pem"
        run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
             "-subj", "/CN=mail.example.test",
             "-addext", "subjectAltName=DNS:mail.example.test,DNS:localhost",
             "-keyout", key, "-out", self.ca])
        run([binary(), "setup", "example.test", "--account", self.alice, "--password-stdin",
             "--certificate", self.ca, "--key", key, "-c", self.configuration, "--data", self.data],
            stdin=self.passwords[self.alice].encode() + b"\n")
        run([binary(), "account", "add", self.bob, "--password-stdin", "--data", self.data],
            stdin=self.passwords[self.bob].encode() + b"\n")
        text = self.configuration.read_text()
        for section, lines in {"listen": self.listeners(), **self.settings}.items():
            head = f"[{section}]\n"
            if head not in text:
                text += head
            text = text.replace(head, head + "".join(line + "\n" for line in lines))
        self.configuration.write_text(text)

    def listeners(self):
        for role, port in self.ports.items():
            address = self.address if role == "smtp" else "127.0.0.1"
            yield f'{role} = ["{address}:{port}"]'
