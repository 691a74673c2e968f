#!/usr/bin/python3
"""
Goal:   docs/protocol.md is enough to write a client in another language, and
        its test vectors are what an independent computation gives.
Method: the vectors computed anew and read by Python; examples/client.py plays
        the dialer of each handshake among them; then it talks to a node that
        is started here (tests/transport/parts/client_node.c), over tcp and ipc.
"""
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

try:
    import msgpack
except ImportError:
    print("skipped: there is no python3-msgpack (./dev setup test)")
    sys.exit(77)

SOURCE, BUILD = os.environ["GREENROOM_SOURCE"], os.environ["GREENROOM_BUILD"]
VECTORS = os.path.join(SOURCE, "tests", "vectors")
sys.path[:0] = [VECTORS, os.path.join(SOURCE, "examples")]

import client as c  # noqa: E402
import make         # noqa: E402
import read         # noqa: E402

SECRET = b"the secret of these tests"
LONG = 120  # seconds: a hang, not a bound


def lines_of(name):
    with open(os.path.join(VECTORS, name)) as file:
        for line in file:
            line = line.rstrip("\n")
            if line and not line.startswith("#"):
                yield line


class Vectors(unittest.TestCase):
    def test_they_are_what_is_computed(self):
        self.assertEqual(make.main("--check"), 0)

    def test_frames_are_read_as_they_say(self):
        for line in lines_of("frames.txt"):
            name, data, verdict, *words = line.split(" ")
            data = b"" if data == "-" else bytes.fromhex(data)
            with self.subTest(name):
                if verdict == "needs":
                    self.assertEqual(read.split(data), (int(words[0]), False))
                elif verdict == "broken":
                    with self.assertRaises(read.Broken):
                        read.split(data)
                        read.read(data)
                else:
                    self.assertEqual(verdict, "is")
                    self.assertEqual(read.split(data), (len(data), True))
                    kind, fields = read.read(data)
                    self.assertEqual([kind] + ["=".join(f) for f in fields],
                                     words)

    def test_the_client_reads_good_frames_as_they_say(self):
        names = ("to", "from", "ref", "status", "count", "kind", "code")
        for line in lines_of("frames.txt"):
            name, data, verdict, *words = line.split(" ")
            if verdict != "is":
                continue
            with self.subTest(name):
                kind, fields, rest = c.parse(bytes.fromhex(data))
                self.assertEqual(kind, getattr(c, words[0].upper()))
                said = [w.split("=") for w in words[1:]]
                numbers = [int(v, 16 if len(v) == 16 else 10)
                           for n, v in said if n in names]
                behind = [bytes.fromhex(v) for n, v in said
                          if n in ("text", "bytes", "payload")]
                if kind in (c.EXIT, c.DOWN):
                    numbers.append(len(behind[0]))
                self.assertEqual(list(fields), numbers)
                if kind in c.MESSAGES:
                    behind = [msgpack.unpackb(b, strict_map_key=False)
                              for b in behind]
                    self.assertEqual(rest or [], behind)
                else:
                    self.assertEqual(rest, b"".join(behind))


def transcripts():
    """Each as its name, its lines, and the verdict of the dialer."""
    lines = []
    for line in lines_of("handshakes.txt"):
        word, _, rest = line.partition(" ")
        if word == "transcript":
            name, lines = rest, []
        elif word == "end":
            yield name, lines, rest.split(" ")[0].split("=")[1]
        else:
            lines.append((word, rest))


class Listener(threading.Thread):
    """Says what a transcript's listener says, after what it hears before."""

    def __init__(self, folder, lines):
        super().__init__()
        self.lines = lines
        self.address = "ipc://" + os.path.join(folder, "s")
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.address[6:])
        self.socket.listen()
        self.heard, self.rest = [], b""

    def run(self):
        peer, _ = self.socket.accept()
        with peer, self.socket:
            os.unlink(self.address[6:])
            for arrow, data in self.lines:
                data = bytes.fromhex(data)
                if arrow == ">":
                    self.heard.append(peer.recv(len(data),
                                                socket.MSG_WAITALL).hex())
                else:
                    peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
            while more := peer.recv(4096):
                self.rest += more


class Handshakes(unittest.TestCase):
    def play(self, folder, lines, verdict):
        described = [rest for word, rest in lines if word == "dialer"]
        said = [line for line in lines if line[0] in (">", "<", "!<")]
        f = dict(word.split("=") for word in described[0].split(" "))
        listener = Listener(folder, said)
        listener.start()
        opened = None
        try:
            opened = c.Client(
                listener.address, bytes.fromhex(f["name"]),
                bytes.fromhex(f["secret"]), node=int(f["node"], 16),
                features=int(f["features"], 16), limit=int(f["frame_limit"]),
                silence_ms=int(f["silence_ms"]),
                nonce=bytes.fromhex(f["nonce"]))
            got = "joined"
        except PermissionError as error:
            by_it = error.args[1].startswith("refused: ")
            got = f"{'refused' if by_it else 'refuses'}:{error.args[0]}"
        except ConnectionError:
            got = "closes"
        if opened is not None:
            opened.socket.close()
        listener.join()
        self.assertEqual(listener.heard,
                         [data for arrow, data in said if arrow == ">"])
        self.assertEqual(got, verdict)
        credit = c.frame(c.CREDIT, struct.pack(">I", 1 << 18))
        self.assertEqual(listener.rest, credit if got == "joined" else b"")

    def test_the_client_says_what_a_dialer_says(self):
        played = 0
        with tempfile.TemporaryDirectory() as folder:
            for name, lines, verdict in transcripts():
                if verdict == "-" or any(" secret=-" in rest for word, rest
                                         in lines if word == "dialer"):
                    continue  # it does not dial, or needs TLS
                if any(word == "parted" and rest.startswith("by=dialer")
                       for word, rest in lines):
                    continue  # it leaves nobody for good
                with self.subTest(name):
                    self.play(folder, lines, verdict)
                    played += 1
        self.assertGreater(played, 40)


class LongClient(c.Client):
    """Takes and sends long frames, too; and remembers what it has heard."""
    parts, seen, said_kinds = b"", (), ()

    def _say(self, kind, *fields):
        self.said_kinds += (kind,)
        return super()._say(kind, *fields)

    def _take(self, size, kind, fields, rest):
        self.seen += (kind,)
        if kind != c.PART:
            return super()._take(size, kind, fields, rest)
        self.parts += rest
        self.taken += size
        if len(self.parts) == 4 + int.from_bytes(self.parts[:4], "big"):
            whole, self.parts = self.parts, b""
            super()._take(0, *c.parse(whole))

    def post(self, kind, to, *fields):
        data = c.frame(kind, to, c.ME, *fields)
        if len(data) <= c.LIMIT:
            return super().post(kind, to, *fields)
        for at in range(0, len(data), 65536):
            while self.credit <= 0:
                self._wait(float("inf"))
            self.credit -= len(self._say(c.PART, data[at:at + 65536]))
        self.credit -= 64

    def until(self, kind, count=1):
        while self.seen.count(kind) < count:
            self._wait(float("inf"))


class Node:
    def __init__(self, address, folder):
        self.file = os.path.join(folder, "secret")
        with open(os.open(self.file, os.O_CREAT | os.O_WRONLY, 0o600),
                  "wb") as file:
            file.write(SECRET + b"\n")
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "tests", "client_node"), address, self.file],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.address = self.read_line().split()[1]

    def read_line(self):
        return self.process.stdout.readline()

    def command(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def stop(self):
        """Its status, and what was in its log."""
        log, _ = self.process.communicate()
        return self.process.returncode, log


def send(peer, to, *message):
    peer.post(c.SEND, to, msgpack.packb(message))


class OnTcp(unittest.TestCase):
    scheme = "tcp"
    status = 0  # of the node

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.node = Node("tcp://127.0.0.1:0" if self.scheme == "tcp" else
                         f"ipc://{self.folder.name}/node", self.folder.name)
        self.peers = []
        self.log = None

    def tearDown(self):
        for peer in self.peers:
            peer.socket.close()
        if self.log is None:
            status, self.log = self.node.stop()
            self.assertEqual(status, self.status)
        self.folder.cleanup()

    def join(self, name=b"python", secret=SECRET, kind=LongClient, **more):
        peer = kind(self.node.address, name, secret, **more)
        self.peers.append(peer)
        return peer

    def find(self, peer, name):
        tag, pid = peer.ask(c.AGENT, "whereis", name)
        self.assertEqual((tag, pid.code, len(pid.data)), ("pid", 1, 16))
        self.assertEqual(pid.data[:8], struct.pack(">Q", peer.node))
        return int.from_bytes(pid.data[8:], "big")

    def test_it_finds_sends_asks_and_says_bye(self):
        peer = self.join(kind=c.Client)
        counter = self.find(peer, "counter")
        send(peer, counter, "add", b"12345")
        send(peer, counter, "add", b"")
        self.assertEqual(peer.ask(counter, "total"), ["total", 2, 5])
        self.assertEqual(peer.ask(c.AGENT, "ping"), ["pong"])
        with self.assertRaises(RuntimeError) as failed:
            peer.ask(counter, "fail")
        self.assertEqual(failed.exception.args,
                         (-1234, ["gr.error", -1234, "as it was asked to"]))
        with self.assertRaises(RuntimeError) as failed:
            peer.ask(c.AGENT, "whereis", "nobody")
        self.assertEqual(failed.exception.args[0], -8)
        peer.bye()
        _, self.log = self.node.stop()
        self.assertEqual(self.log, "")  # nothing was wrong

    def test_what_nobody_understands_is_answered(self):
        peer = self.join()
        with self.assertRaises(RuntimeError) as failed:
            peer.ask(self.find(peer, "counter"), "what?")
        self.assertEqual(failed.exception.args[0], -13)

    def test_the_program_asks(self):
        done = subprocess.run(
            [sys.executable, os.path.join(SOURCE, "examples", "client.py"),
             self.node.address, self.node.file, "counter", "total"],
            stdout=subprocess.PIPE, text=True, check=True)
        self.assertEqual(done.stdout, "total 0 0\n")

    def test_another_secret_is_told_why(self):
        with self.assertRaises(PermissionError) as refused:
            self.join(secret=b"not the secret of these tests")
        self.assertEqual(refused.exception.args,
                         (2, "refused: the secrets differ"))
        while "the secrets differ" not in (line := self.node.read_line()):
            self.assertTrue(line)  # it has not ended

    def test_a_monitor_tells_of_an_exit(self):
        peer = self.join()
        mortal = self.find(peer, "mortal")
        ref = peer.monitor(mortal)
        send(peer, mortal, "exit", 7)
        self.assertEqual(peer.receive(LONG), ("down", ref, 2, -7, b"enough"))
        late = peer.monitor(mortal)
        self.assertEqual(peer.receive(LONG)[:3], ("down", late, 5))
        with self.assertRaises(RuntimeError) as failed:
            peer.ask(mortal, "total")
        self.assertEqual(failed.exception.args[0], -5)

    def test_a_run_that_was_left_does_not_come_back_by_itself(self):
        mesh, by_itself = 2, 4
        peer = self.join(node=0xA11CE, features=mesh | by_itself)
        self.node.command("drop")
        peer.until(c.BYE)
        peer.socket.close()
        with self.assertRaises(PermissionError) as refused:
            self.join(node=0xA11CE, features=mesh | by_itself)
        self.assertEqual(refused.exception.args,
                         (11, "refused: it has said goodbye for good"))
        self.join(node=0xA11CF, features=mesh | by_itself).bye()
        peer = self.join(node=0xA11CE, features=mesh)  # somebody asked for it
        self.assertEqual(peer.ask(c.AGENT, "ping"), ["pong"])

    def lose(self, peer, ref):
        with self.assertRaises(ConnectionError):
            while peer.receive(LONG) is None:
                pass
        self.assertEqual(peer.receive(LONG), ("down", ref, 6, 0, b""))
        self.assertEqual(peer.inbox, [])

    def test_a_monitor_tells_of_a_node_that_says_bye(self):
        peer = self.join()
        ref = peer.monitor(self.find(peer, "counter"))
        peer.ask(c.AGENT, "ping")
        self.node.command("drop")
        self.lose(peer, ref)
        self.assertIn(c.BYE, peer.seen)

    def test_a_monitor_tells_of_a_node_that_dies(self):
        peer = self.join()
        ref = peer.monitor(self.find(peer, "counter"))
        peer.ask(c.AGENT, "ping")
        self.node.process.send_signal(signal.SIGKILL)
        self.status = -signal.SIGKILL
        self.lose(peer, ref)

    def test_the_node_is_told_of_a_client_that_dies(self):
        peer, other = self.join(), self.join(name=b"other")
        watcher = self.find(peer, "watcher")
        self.assertEqual(peer.ask(watcher, "watch"), ["watching"])
        peer.until(c.MONITOR)
        peer.socket.close()
        self.assertEqual(other.ask(watcher, "told"), ["told", "noconnection"])

    def test_it_waits_for_credit(self):
        peer = self.join()
        counter = self.find(peer, "counter")
        for _ in range(500):  # eight windows
            send(peer, counter, "add", bytes(1000))
        self.assertEqual(peer.ask(counter, "total"), ["total", 500, 500000])
        self.assertGreater(peer.seen.count(c.CREDIT), 8)

    def test_it_gives_credit_back(self):
        peer = self.join(window=1 << 16)
        counter = self.find(peer, "counter")
        peer.ask(counter, "flood", 1000, 500)  # nine windows
        self.assertEqual([m[2][1] for m in peer.inbox], list(range(1000)))
        self.assertGreater(peer.said_kinds.count(c.CREDIT), 9)

    def test_long_messages_go_in_parts(self):
        peer = self.join(limit=1 << 20)
        counter = self.find(peer, "counter")
        data = bytes(range(256)) * 1200
        self.assertEqual(peer.ask(counter, "back", data), ["back", data])
        self.assertGreater(peer.seen.count(c.PART), 4)

    def test_heartbeats_go_both_ways(self):
        peer = self.join()
        peer.beat = 0.01  # more often than it must
        peer.until(c.HEARTBEAT, 2)
        while peer.said_kinds.count(c.HEARTBEAT) < 3:
            peer.receive(0.01)
        self.assertEqual(peer.ask(c.AGENT, "ping"), ["pong"])

    def test_a_second_one_of_its_name_is_told_so(self):
        peer = self.join()
        refused = []

        def dial():
            try:
                self.join()
            except PermissionError as error:
                refused.append(error.args)
        newcomer = threading.Thread(target=dial)
        newcomer.start()
        while newcomer.is_alive():
            peer.receive(0.01)  # and says PONG
        self.assertEqual(refused, [(3, "refused: the name is taken")])
        self.assertIn(c.PONG, peer.said_kinds)
        self.assertEqual(peer.ask(c.AGENT, "ping"), ["pong"])


class OnIpc(OnTcp):
    scheme = "ipc"


if __name__ == "__main__":
    signal.alarm(2 * LONG)
    unittest.main(verbosity=2)
