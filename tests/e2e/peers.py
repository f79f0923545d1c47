"""Exim and OpenSMTPD, each in a jail of its own: mail for their domain into a Maildir, the rest to us."""

import os
import shutil
import signal
import subprocess

import support
from jail import Jail


def certificate(directory, name):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
         "-keyout", str(directory / "key.pem"), "-out", str(directory / "cert.pem")],
        check=True, capture_output=True)


class Peer:
    packages = []
    users = []

    def __init__(self, directory, *, domain, relay_port=None):
        self.port = support.free_port()
        self.jail = Jail(directory, self.packages, self.users)
        self.root = self.jail.root
        self.mail = self.root / "mail"
        self.mail.mkdir()
        shutil.chown(self.mail, "nobody", "nogroup")
        certificate(self.root / "etc", f"mx.{domain}")
        self.configure(domain, relay_port)
        self.log_file = open(self.root / "output.log", "ab")
        self.process = subprocess.Popen(self.jail.command(*self.program()), stdout=self.log_file,
                                        stderr=self.log_file, start_new_session=True)
        support.wait_until(self.is_up, what=type(self).__name__)

    def is_up(self):
        assert self.process.poll() is None, self.log()
        return not support.port_is_free(self.port)

    def messages(self):
        return sorted((self.mail / "new").glob("*"))

    def log(self):
        logs = [self.root / "output.log", *self.root.glob("var/spool/exim4/*log")]
        return "".join(path.read_text() for path in logs if path.is_file())

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(timeout=30)
        self.log_file.close()


class Exim(Peer):
    packages = ["exim4-base", "exim4-daemon-light"]
    users = ["Debian-exim"]

    CONFIGURATION = """
primary_hostname = mx.{domain}
spool_directory = /var/spool/exim4
log_file_path = /var/spool/exim4/%slog
pid_file_path = /run/exim.pid
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
domainlist here = {domain}
hostlist us = 127.0.0.1
tls_advertise_hosts = *
tls_certificate = /etc/cert.pem
tls_privatekey = /etc/key.pem
smtputf8_advertise_hosts = *
acl_smtp_rcpt = recipients
acl_smtp_data = accept
keep_environment =
begin acl
recipients:
  accept domains = +here : {others}
  deny
begin routers
box:
  driver = accept
  domains = +here
  transport = maildir
us:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = us
begin transports
maildir:
  driver = appendfile
  maildir_format
  directory = /mail
  create_directory
  user = nobody
  group = nogroup
us:
  driver = smtp
  port = {relay}
  hosts_require_tls = *
begin retry
* * F,1h,1m
"""

    def configure(self, domain, relay_port):
        spool = self.root / "var/spool/exim4"
        spool.mkdir()
        os.chown(spool, 900, 900)
        text = self.CONFIGURATION.format(domain=domain, port=self.port, relay=relay_port or 25,
                                         others="*" if relay_port else "")
        (self.root / "etc/exim4").mkdir(exist_ok=True)
        (self.root / "etc/exim4/exim4.conf").write_text(text)

    def program(self):
        return ["/usr/sbin/exim4", "-bdf", "-q1m"]


class OpenSmtpd(Peer):
    packages = ["opensmtpd"]
    users = ["opensmtpd", "opensmtpq"]

    CONFIGURATION = """
pki own cert "/etc/cert.pem"
pki own key "/etc/key.pem"
listen on 127.0.0.1 port {port} tls pki own hostname mx.{domain}
action "box" maildir "/mail" virtual {{ "@" = "nobody" }}
match from any for domain "{domain}" action "box"
"""
    ONWARD = """
action "us" relay host "smtp+tls://127.0.0.1:{relay}" tls no-verify helo mx.{domain}
match from any for any action "us"
"""

    def configure(self, domain, relay_port):
        (self.root / "var/lib/opensmtpd/empty").mkdir(parents=True, exist_ok=True)
        (self.root / "etc/mailname").write_text(f"mx.{domain}\n")
        (self.root / "etc/key.pem").chmod(0o600)
        text = self.CONFIGURATION + (self.ONWARD if relay_port else "")
        text = text.format(domain=domain, port=self.port, relay=relay_port)
        (self.root / "etc/smtpd.conf").write_text(text)

    def program(self):
        return ["/usr/sbin/smtpd", "-d", "-f", "/etc/smtpd.conf"]
