#!/usr/bin/python3
"""A client of greenroom's nodes in Python: one actor, made from docs/protocol.md alone.
client.py tcp://127.0.0.1:7000 SECRET_FILE NAME TAG [TEXT ...] asks the actor NAME [TAG, TEXT, ...] and prints its
answer. Who imports this calls receive() now and then, for the heartbeats. ConnectionError says that it has ended,
PermissionError that it was refused (args: the code, why), RuntimeError that an answer is an error (args: status)."""
import hashlib, hmac, io, itertools, os, select, socket, struct, sys
from time import monotonic
import msgpack  # Debian's python3-msgpack
_, HELLO, PROOF, WELCOME, REFUSE, _, _, _, HEARTBEAT, PING, PONG, BYE, BYE_ACK, CREDIT, PART, SLOWED = range(16)
SEND, ASK, REPLY, STOP, KILL, LINK, UNLINK, EXIT, MONITOR, DEMONITOR, DOWN, SLOW, RESUME, CONFIRM = range(16, 30)
SHAPES = dict(enumerate("- - - - - I - - QQ QQQ QQQi QQ QQ QQQ QQQ QQBiB QQQ QQQ QQQBiB QQ QQ QQQ".split(), 8))
MESSAGES, SIGNS = (SEND, ASK, REPLY, CONFIRM), {PING: PONG, BYE: BYE_ACK, SLOW: SLOWED}
AGENT, ME, LIMIT = 1 << 32 | 1, 1 << 32 | 2, 65792  # with this limit nothing comes in parts
WHY = dict(enumerate(["no version in common", "the secrets differ", "the name is taken", "that node is this one",
    "it has too many peers", "connected already", "too slow", "it is stopping", "only one of the two has a secret",
    "the certificate is for another name", "it has said goodbye for good", "it was cut: again after a pause"], 1))

def frame(kind, *fields):
    body = b"".join(f if isinstance(f, bytes) else struct.pack(">Q", f) for f in fields)
    return struct.pack(">IB", 1 + len(body), kind) + body

def parse(data):
    """Takes a whole frame apart: its type, its fields, and its messages or what else follows."""
    shape = ">" + SHAPES[data[4]].strip("-")
    fields, rest = struct.unpack_from(shape, data, 5), data[5 + struct.calcsize(shape):]
    messages = io.BytesIO(rest if data[4] in MESSAGES else b"")
    return data[4], fields, [*msgpack.Unpacker(messages, strict_map_key=False, unicode_errors="replace")] or rest

class Client:
    def __init__(self, address, name, secret, window=1 << 18, silence_ms=5000, **hello):
        kind, place = address.split("://")
        host, _, port = place.rpartition(":")
        self.socket = socket.socket(socket.AF_UNIX if kind == "ipc" else socket.AF_INET)
        self.socket.connect(place if kind == "ipc" else (host, int(port)))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 5, 0))
        self.inbox, self.answers, self.watched, self.refs = [], {}, set(), itertools.count(1)
        self.window, self.silence, self.credit, self.taken, self.heard = window, silence_ms / 1000, 0, 0, monotonic()
        self._shake(name, hashlib.sha256(secret).digest(), silence_ms, **hello)
        self._say(CREDIT, struct.pack(">I", window))

    def _shake(self, name, key, silence_ms, node=None, features=0, limit=LIMIT, nonce=None):
        def hear(kind):
            data = self._read(5, 512)
            if data and data[4] == REFUSE:
                raise PermissionError(data[5], "refused: " + WHY.get(data[5], "unknown"))
            return data if data and data[4] == kind else self._lose("not the greenroom protocol")
        def refuse(code):
            self._say(REFUSE, bytes([code]))
            raise PermissionError(code, WHY[code])
        def mac(role):
            return hmac.digest(key, b"greenroom proof 1\0" + bytes([role]) + mine + theirs, "sha256")
        node, nonce = node or int.from_bytes(os.urandom(8), "big") | 1, nonce or os.urandom(32)
        mine = self._say(HELLO, b"GRNROOM\n", struct.pack(
            ">HHBBQQII", 1, 1, 1, len(name), node, features, limit, silence_ms), nonce, name)
        theirs = hear(HELLO)
        magic, version, oldest, role, n, self.node, silence = struct.unpack_from(">8sHHBBQ12xI", theirs.ljust(75), 5)
        if version < 1 or oldest > 1 or theirs[43:75] == nonce:
            refuse(2 if version >= 1 >= oldest else 1)
        if magic != b"GRNROOM\n" or role != 2 or n == 0 or self.node == 0:
            self._lose("not the greenroom protocol")
        self._say(PROOF, mac(1))
        if not hmac.compare_digest(hear(WELCOME)[5:], mac(2)):
            refuse(2)
        self.beat = silence / 4000

    def _say(self, kind, *fields):
        self.said, data = monotonic(), frame(kind, *fields)
        self.socket.sendall(data)
        return data

    def _lose(self, why):
        self.inbox += [("down", ref, 6, 0, b"") for ref in self.watched]  # 6: noconnection
        self.socket.close()
        raise ConnectionError(why)

    def _read(self, timeout, limit=LIMIT):
        """The next frame; None: none begins in time."""
        if select.select([self.socket], [], [], max(0, timeout))[0]:
            length, self.heard = int.from_bytes(self.socket.recv(4, socket.MSG_WAITALL), "big"), monotonic()
            body = self.socket.recv(length, socket.MSG_WAITALL) if 0 < length <= limit - 4 else b""
            return struct.pack(">I", length) + body if body and len(body) == length else self._lose("closed")
        if monotonic() >= self.heard + self.silence:
            self._lose("not a byte for too long")

    def _wait(self, until):
        """Takes one frame if it comes before then, and before a heartbeat is due."""
        if monotonic() >= self.said + self.beat:
            self._say(HEARTBEAT)
        data = self._read(min(until, self.said + self.beat, self.heard + self.silence) - monotonic())
        if data:
            self._take(len(data), *parse(data))

    def _take(self, size, kind, fields, rest):
        self.taken += (size + 64 * max(1, len(rest))) * (kind in MESSAGES)
        if self.taken >= self.window / 2:
            self._say(CREDIT, struct.pack(">I", self.taken))
            self.taken = 0
        if kind == CREDIT:
            self.credit += fields[0]
        elif kind == SEND and fields[0] == ME:
            self.inbox += [("message", fields[1], message) for message in rest]
        elif kind == REPLY:
            self.answers[fields[2]] = fields[3], *rest
        elif kind == DOWN and fields[2] in self.watched:
            self.watched.remove(fields[2])
            self.inbox.append(("down", *fields[2:5], rest))
        elif kind in (ASK, CONFIRM):  # this actor answers nobody: "not allowed"
            self.post(REPLY, fields[1], fields[2], struct.pack(">i", -15))
        elif kind in SIGNS:
            self._say(SIGNS[kind])
        elif kind == BYE_ACK:
            self.socket.close()

    def post(self, kind, to, *fields):
        """A frame to an actor of the node, once there is credit for it."""
        while kind in MESSAGES and self.credit <= 0:
            self._wait(float("inf"))
        data = self._say(kind, to, ME, *fields)
        self.credit -= (len(data) + 64) * (kind in MESSAGES)

    def ask(self, to, *message):
        self.post(ASK, to, ref := next(self.refs), msgpack.packb(message))
        while ref not in self.answers:
            self._wait(float("inf"))
        status, *answer = self.answers.pop(ref)
        if status != 0:
            raise RuntimeError(status, *answer)
        return answer[0]

    def monitor(self, to):
        self.post(MONITOR, to, ref := next(self.refs))
        self.watched.add(ref)
        return ref

    def receive(self, timeout):
        """("message", sender, payload), ("down", ref, kind, code, text), or None if there is none in time."""
        until = monotonic() + timeout
        while not self.inbox and monotonic() < until:
            self._wait(until)
        return self.inbox.pop(0) if self.inbox else None

    def bye(self):
        self._say(BYE)
        while self.socket.fileno() >= 0:
            self._wait(float("inf"))
if __name__ == "__main__":
    client = Client(sys.argv[1], b"client.py", open(sys.argv[2], "rb").read().removesuffix(b"\n"))
    pid = client.ask(AGENT, "whereis", sys.argv[3])[1].data  # of 16 bytes the last 8 are the actor's id
    print(*client.ask(int.from_bytes(pid[8:], "big"), *sys.argv[4:]))
    client.bye()
