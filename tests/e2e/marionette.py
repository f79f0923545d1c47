"""Remote control of Thunderbird: its own Marionette protocol, and a profile and display for it.

Marionette is JSON in netstrings (`length:[0, id, command, parameters]`) on a port of loopback.
Scripts run in Thunderbird's main window with the rights of its own code.
"""

import base64
import json
import os
import pathlib
import select
import socket
import subprocess

from support import free_port, wait_until

START_SECONDS = 60
SCRIPT_SECONDS = 40


class ScriptError(Exception):
    pass


class Marionette:
    def __init__(self, port):
        self.socket = wait_until(lambda: self.connected(port), START_SECONDS, "Thunderbird")
        self.socket.settimeout(SCRIPT_SECONDS + 5)
        self.buffer = b""
        self.number = 0
        hello = self.receive()
        assert hello["applicationType"] == "gecko", hello
        self.command("WebDriver:NewSession", {})
        self.command("WebDriver:SetTimeouts", {"script": SCRIPT_SECONDS * 1000})
        self.command("Marionette:SetContext", {"value": "chrome"})
        self.window = self.command("WebDriver:GetWindowHandle", {})["value"]

    @staticmethod
    def connected(port):
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            return None

    def receive(self):
        while b":" not in self.buffer:
            self.fill()
        length, self.buffer = self.buffer.split(b":", 1)
        while len(self.buffer) < int(length):
            self.fill()
        text, self.buffer = self.buffer[:int(length)], self.buffer[int(length):]
        return json.loads(text)

    def fill(self):
        data = self.socket.recv(65536)
        assert data, "Thunderbird closed the connection"
        self.buffer += data

    def command(self, name, parameters):
        self.number += 1
        text = json.dumps([0, self.number, name, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(text), text))
        kind, number, error, result = self.receive()
        assert (kind, number) == (1, self.number)
        if error:
            raise ScriptError(f"{name}: {error['message']}\n{error.get('stacktrace', '')}")
        return result

    def script(self, body, *arguments):
        """Runs the body of an async function and gives what it returned."""
        wrapped = ("const done = arguments[arguments.length - 1];"
                   f"(async function () {{ {body} }}).apply(null, arguments)"
                   ".then(value => done({ value: value === undefined ? null : value }),"
                   " error => done({ error: `${error}\\n${error.stack}` }));")
        answer = self.command("WebDriver:ExecuteAsyncScript",
                              {"script": wrapped, "args": list(arguments), "newSandbox": False})
        value = answer["value"]
        if "error" in value:
            raise ScriptError(value["error"])
        return value["value"]

    def screenshot(self, path):
        """Of the window beside the main one, or of the main one when it is alone."""
        windows = self.command("WebDriver:GetWindowHandles", {})
        others = [window for window in windows if window != self.window]
        assert any(self.switch(window) for window in [*others, self.window])
        answer = self.command("WebDriver:TakeScreenshot", {"full": True, "hash": False})
        self.switch(self.window)
        pathlib.Path(path).write_bytes(base64.b64decode(answer["value"]))

    def switch(self, window):
        """False: the window is listed but closed."""
        try:
            self.command("WebDriver:SwitchToWindow", {"handle": window, "focus": False})
        except ScriptError:
            return False
        return True


class Display:
    """An X server without a screen."""

    def __init__(self):
        read, write = os.pipe()
        self.process = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x900x24", "-nolisten", "tcp"],
            pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(write)
        # Xvfb says its number once it takes connections, and ends if nobody reads it whole.
        number = b""
        while not number.endswith(b"\n"):
            assert select.select([read], [], [], START_SECONDS)[0], "Xvfb does not start"
            number += os.read(read, 16)
        os.close(read)
        self.name = ":" + number.decode().strip()

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)


class Thunderbird:
    def __init__(self, place, preferences):
        """`preferences` are added to those that keep it quiet; the profile is in `place`."""
        self.profile = pathlib.Path(place) / "profile"
        self.profile.mkdir()
        self.port = free_port()
        lines = {**QUIET, **preferences, "marionette.port": self.port}
        (self.profile / "user.js").write_text("".join(
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in lines.items()))
        self.display = Display()
        self.log = open(pathlib.Path(place) / "thunderbird.log", "wb")
        self.process = None

    def trust(self, authority):
        """The certificate authority that the profile trusts for servers."""
        database = f"sql:{self.profile}"
        for command in (["-N", "--empty-password"],
                        ["-A", "-n", "authority", "-t", "C,,", "-i", str(authority)]):
            subprocess.run(["certutil", "-d", database, *command], check=True, capture_output=True)

    def start(self):
        environment = {**os.environ, "DISPLAY": self.display.name, "HOME": str(self.profile.parent),
                       "LC_ALL": "C.UTF-8", "MOZ_DISABLE_CONTENT_SANDBOX": "1",
                       "MOZ_CRASHREPORTER_DISABLE": "1", "GDK_BACKEND": "x11",
                       "LIBGL_ALWAYS_SOFTWARE": "1", "NO_AT_BRIDGE": "1"}
        environment.pop("WAYLAND_DISPLAY", None)
        self.process = subprocess.Popen(
            ["thunderbird", "--marionette", "--remote-allow-system-access", "--no-remote",
             "--profile", str(self.profile)],
            env=environment, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        return Marionette(self.port)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.display.stop()
        self.log.close()


QUIET = {
    "app.donation.eoy.version.viewed": 999,
    "app.update.enabled": False,
    "browser.aboutwelcome.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.warnOnQuit": False,
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "mail.shell.checkDefaultClient": False,
    "mail.rights.version": 1,
    "mail.spotlight.firstRunDone": True,
    "mail.winsearch.firstRunDone": True,
    "mailnews.start_page.enabled": False,
    "mailnews.start_page_override.mstone": "ignore",
    "mail.inappnotifications.enabled": False,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.chat.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "",
    "toolkit.telemetry.reportingpolicy.firstRun": False,
    "toolkit.startup.max_resumed_crashes": -1,
    "browser.cache.disk.enable": False,
}
