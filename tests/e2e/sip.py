"""A small SIP endpoint for tests that need to say exactly what is on the wire: it builds, sends, receives and reads
messages, follows route sets as RFC 3261 12 says, and judges nothing by itself."""

import collections
import itertools
import queue
import re
import select
import socket
import threading
import time

_unique = itertools.count(1)
COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length",
           "c": "content-type", "k": "supported", "e": "content-encoding", "s": "subject"}


def unique(prefix=""):
    return f"{prefix}{time.time_ns():x}{next(_unique):x}"


def split_list(value):
    """Elements of a comma list; commas in quotes or angle brackets do not count."""
    out, depth, quoted, cur = [], 0, False, ""
    for ch in value:
        if ch == '"':
            quoted = not quoted
        elif not quoted and ch == "<":
            depth += 1
        elif not quoted and ch == ">":
            depth -= 1
        if ch == "," and depth == 0 and not quoted:
            out.append(cur.strip())
            cur = ""
        else:
            cur += ch
    return out + [cur.strip()]


class Message:
    """A received message."""

    def __init__(self, data, source=None):
        self.data = data
        self.source = source
        head, _, self.body = data.decode("utf-8", "replace").partition("\r\n\r\n")
        lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
        self.start = lines[0]
        self.headers = []
        for line in lines[1:]:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            self.headers.append((COMPACT.get(name, name), value.strip()))
        parts = self.start.split(" ", 2)
        self.status = int(parts[1]) if parts[0] == "SIP/2.0" else None
        self.method = parts[0] if self.status is None else self.get("cseq").split()[1]
        self.uri = parts[1] if self.status is None else None

    def get(self, name):
        """First header's value, or ''."""
        return next((v for n, v in self.headers if n == name.lower()), "")

    def all(self, name):
        """All list elements of all headers of that name."""
        return [e for n, v in self.headers if n == name.lower() for e in split_list(v)]

    def tag(self, name):
        m = re.search(r";\s*tag=([^;>\s]+)", self.get(name))
        return m.group(1) if m else None

    def uri_of(self, name):
        """The URI in the first element of a header."""
        v = self.all(name)[0]
        m = re.search(r"<([^>]*)>", v)
        return m.group(1) if m else v.split(";")[0]

    def __repr__(self):
        return self.data.decode("utf-8", "replace")


class Ua:
    """An endpoint on one UDP socket in a namespace."""

    def __init__(self, ns, ip, port=5060, proxy=("192.0.2.10", 5060), name="alice", via=None):
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        self.sock = ns.socket(family)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((ip, port))
        self.ip, self.port, self.proxy, self.name = ip, port, proxy, name
        self.host = f"[{ip}]" if ":" in ip else ip
        self.sent_by = via or f"{self.host}:{port}"
        self.contact = f"<sip:{name}@{self.host}:{port}>"
        self.cseq = itertools.count(1)

    def close(self):
        self.sock.close()

    def send(self, text, to=None):
        self.sock.sendto(text.encode() if isinstance(text, str) else text, to or self.proxy)

    def recv(self, timeout=3.0):
        """Next message, or None."""
        if not select.select([self.sock], [], [], timeout)[0]:
            return None
        data, source = self.sock.recvfrom(65535)
        return Message(data, source[:2])

    def expect(self, what, timeout=5.0):
        """Next message with that status (int) or method (str); others are passed over. Fails when none comes."""
        end = time.monotonic() + timeout
        seen = []
        while time.monotonic() < end:
            m = self.recv(max(0.0, end - time.monotonic()))
            if m is None:
                break
            seen.append(m.start)
            if m.status == what or (m.status is None and m.method == what):
                return m
        raise AssertionError(f"{self.name}: expected {what}, got {seen}")

    def nothing(self, timeout=0.7, but=()):
        """Fails when anything (but what is listed) comes in that time."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            m = self.recv(max(0.0, end - time.monotonic()))
            assert m is None or m.method in but or m.status in but, f"{self.name}: unexpected {m.start}"

    def request(self, method, uri, to=None, from_=None, call_id=None, cseq=None, branch=None, from_tag=None,
                to_tag=None, routes=(), headers=(), body="", max_forwards=70, contact=True, via_extra=""):
        """Text of a request."""
        lines = [f"{method} {uri} SIP/2.0",
                 f"Via: SIP/2.0/UDP {self.sent_by};branch={branch or unique('z9hG4bK')}{via_extra}"]
        lines += [f"Route: {r}" for r in routes]
        lines += [
            f"From: {from_ or f'<sip:{self.name}@example.com>'};tag={from_tag or unique('f')}",
            f"To: {to or f'<{uri}>'}" + (f";tag={to_tag}" if to_tag else ""),
            f"Call-ID: {call_id or unique('c')}",
            f"CSeq: {cseq if cseq is not None else next(self.cseq)} {method}",
        ]
        if max_forwards is not None:
            lines.append(f"Max-Forwards: {max_forwards}")
        if contact:
            lines.append(f"Contact: {self.contact}")
        lines += list(headers) + [f"Content-Length: {len(body.encode())}"]
        return "\r\n".join(lines) + "\r\n\r\n" + body

    def reply(self, req, status, reason="Reason", to_tag=None, headers=(), send=True, contact=True):
        """Answer a request to where it came from."""
        lines = [f"SIP/2.0 {status} {reason}"]
        for n, v in req.headers:
            if n in ("via", "record-route", "from", "call-id", "cseq"):
                lines.append(f"{n.title()}: {v}")
            elif n == "to":
                tag = f";tag={to_tag or unique('t')}" if ";tag=" not in v and status > 100 else ""
                lines.append(f"To: {v}{tag}")
        if contact and status // 100 == 2:
            lines.append(f"Contact: {self.contact}")
        text = "\r\n".join(lines + list(headers) + ["Content-Length: 0"]) + "\r\n\r\n"
        if send:
            self.send(text, req.source)
        return text


class Member(Ua):
    """A server of a pair, played by the test: probes are answered by a thread, all else waits for recv().

    It takes PROBE_S for that, as a server some way off would: the appliance, whose patience is a multiple of the round trip,
    then takes nobody for dead whom this machine gives no time for a tenth of a second."""

    PROBE_S = 0.05

    def __init__(self, ns, ip, port=5060, name="member"):
        super().__init__(ns, ip, port, name=name)
        self.inbox = queue.Queue()
        self.probe_status = 200
        self.open = True
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        due = collections.deque()  # (when, probe)
        while self.open:
            while due and due[0][0] <= time.monotonic():
                if self.probe_status:
                    self.reply(due[0][1], self.probe_status)
                due.popleft()
            m = super().recv(min(0.1, max(0.0, due[0][0] - time.monotonic())) if due else 0.1)
            if m is None:
                continue
            if m.method == "OPTIONS" and m.status is None and "@" not in m.uri:
                due.append((time.monotonic() + self.PROBE_S, m))
            else:
                self.inbox.put(m)

    def recv(self, timeout=3.0):
        try:
            return self.inbox.get(timeout=timeout)
        except queue.Empty:
            return None

    def hang(self):
        """The server says nothing more, not even to probes; its host still takes packets."""
        self.open = False
        self.thread.join()

    def close(self):
        """The server is gone: its host answers with ICMP from now on."""
        self.open = False
        self.thread.join()
        super().close()


class Dialog:
    """One end's view of a dialog: route set, remote target, tags (RFC 3261 12.1)."""

    def __init__(self, ua, local, remote, call_id, target, routes, cseq):
        self.ua, self.local, self.remote = ua, local, remote
        self.call_id, self.target, self.routes, self.cseq = call_id, target, routes, cseq

    @classmethod
    def caller(cls, ua, response):
        """From the response to our INVITE: Record-Routes in reverse order."""
        return cls(ua, response.get("from"), response.get("to"), response.get("call-id"), response.uri_of("contact"),
                   list(reversed(response.all("record-route"))), int(response.get("cseq").split()[0]))

    @classmethod
    def callee(cls, ua, request, response_text):
        """From the INVITE that we answered: Record-Routes in order."""
        return cls(ua, Message(response_text.encode()).get("to"), request.get("from"), request.get("call-id"),
                   request.uri_of("contact"), request.all("record-route"), 100)

    def request(self, method, cseq=None, branch=None, routes=None, headers=()):
        """Text of an in-dialog request."""
        if cseq is None and method != "ACK":
            self.cseq += 1
        lines = [f"{method} {self.target} SIP/2.0",
                 f"Via: SIP/2.0/UDP {self.ua.sent_by};branch={branch or unique('z9hG4bK')}"]
        lines += [f"Route: {r}" for r in (self.routes if routes is None else routes)]
        lines += [f"From: {self.local}", f"To: {self.remote}", f"Call-ID: {self.call_id}",
                  f"CSeq: {self.cseq if cseq is None else cseq} {method}", "Max-Forwards: 70", *headers,
                  "Content-Length: 0"]
        return "\r\n".join(lines) + "\r\n\r\n"

    def first_hop(self):
        """Where an in-dialog request goes: the first Route, else the target."""
        uri = self.routes[0] if self.routes else self.target
        m = re.search(r"sip:(?:[^@>]*@)?(\[[^\]]+\]|[^:;>]+)(?::(\d+))?", uri)
        return m.group(1).strip("[]"), int(m.group(2) or 5060)

    def send(self, method, **kw):
        self.ua.send(self.request(method, **kw), self.first_hop())
