"""A TLS server between a client and the server under test that notes what both say.

It has the server's own certificate, so that a client which checks names sees no difference.
"""

import contextlib
import pathlib
import re
import socket
import ssl
import threading
import zlib

CHUNK = 65536


def inflated(data, start):
    """What COMPRESS=DEFLATE (RFC 4978) made of the bytes from `start` on."""
    return data[:start] + zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[start:])


class Dialogue:
    """One connection's bytes, both ways, readable while it lasts."""

    def __init__(self):
        self.client = bytearray()
        self.server = bytearray()

    def plain(self):
        """What the client and the server said, without compression."""
        client, server = bytes(self.client), bytes(self.server)
        asked = re.search(rb"(\S+) COMPRESS DEFLATE\r\n", client)
        if not asked:
            return client, server
        granted = re.search(rb"^" + re.escape(asked[1]) + rb" OK [^\r]*\r\n", server, re.MULTILINE)
        if not granted:
            return client, server
        return inflated(client, asked.end()), inflated(server, granted.end())


class Recorder:
    def __init__(self, facteur, port="imaps"):
        self.upstream = facteur.ports[port]
        self.trust = ssl.create_default_context(cafile=facteur.ca)
        tls = pathlib.Path(facteur.data) / "tls"
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(tls / "certificate.pem", tls / "key.pem")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.dialogues = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.relay, args=(peer,), daemon=True).start()

    def relay(self, peer):
        dialogue = Dialogue()
        self.dialogues.append(dialogue)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.enter_context(peer)
            client = stack.enter_context(self.context.wrap_socket(peer, server_side=True))
            upstream = stack.enter_context(socket.create_connection(("127.0.0.1", self.upstream)))
            server = stack.enter_context(
                self.trust.wrap_socket(upstream, server_hostname="localhost"))
            back = threading.Thread(
                target=self.copy, args=(server, client, dialogue.server), daemon=True)
            back.start()
            self.copy(client, server, dialogue.client)
            back.join()

    @staticmethod
    def copy(source, sink, kept):
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                kept += data
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    def commands(self):
        """All that clients sent since the start or the last `forget`, as lines."""
        return [line for dialogue in self.dialogues
                for line in dialogue.plain()[0].decode("utf-8", "replace").split("\r\n")]

    def said(self, pattern):
        """The clients' lines that match."""
        return [line for line in self.commands() if re.search(pattern, line, re.IGNORECASE)]

    def heard(self, pattern):
        """The server's lines that match."""
        return [line for dialogue in self.dialogues
                for line in dialogue.plain()[1].decode("utf-8", "replace").split("\r\n")
                if re.search(pattern, line, re.IGNORECASE)]

    def forget(self):
        """Starts anew; connections that still run are no longer noted."""
        self.dialogues.clear()

    def stop(self):
        self.listener.close()
