"""A switch with VLANs, in user space: an access port for each VLAN, and a trunk on which they have tags.

The kernels that these tests run on need no 802.1Q module for it. A thread per port; frames in order.
"""

import fcntl
import socket
import struct
import threading

SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING = 263, 8, 4
TAG_VALID = 0x10  # TP_STATUS_VLAN_VALID
ETH_P_ALL, ETH_P_8021Q = 3, 0x8100


class Switch:
    """In a namespace of its own. `access`: VLAN (None: untagged on the trunk) to the interface of that access port."""

    def __init__(self, ns, trunk, access):
        self.dropped = 0  # frames from the trunk in a VLAN that no port has
        self.from_trunk = {}  # VLAN: frames
        self._stop = False
        self._trunk = self._socket(ns, trunk)
        self._access = {vlan: self._socket(ns, dev) for vlan, dev in access.items()}
        self._threads = [threading.Thread(target=self._downlink, daemon=True)]
        for vlan, port in self._access.items():
            self._threads.append(threading.Thread(target=self._uplink, args=(vlan, port), daemon=True))
        for t in self._threads:
            t.start()
        ns.lab.cleanups.append(self.close)

    @staticmethod
    def _socket(ns, dev):
        s = ns.socket(socket.AF_PACKET, socket.SOCK_RAW)
        s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        s.bind((dev, ETH_P_ALL))
        s.setsockopt(SOL_PACKET, 1, struct.pack("iHH8s", socket_index(s), 1, 0, b""))  # promiscuous
        s.settimeout(0.2)
        return s

    def _frames(self, s):
        """(frame without its tag, tag or None) of all that comes in."""
        while not self._stop:
            try:
                frame, controls, _, source = s.recvmsg(65536, 256)
            except TimeoutError:
                continue
            except OSError:
                return
            if source[2] == PACKET_OUTGOING:
                continue
            tci = None
            for level, kind, data in controls:
                if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                    status, _, _, _, _, vlan, _ = struct.unpack("IIIHHHH", data[:20])
                    tci = vlan if status & TAG_VALID else None
            if tci is None and frame[12:14] == struct.pack("!H", ETH_P_8021Q):
                tci = struct.unpack("!H", frame[14:16])[0]
                frame = frame[:12] + frame[16:]
            yield frame, tci

    def _uplink(self, vlan, port):
        for frame, _ in self._frames(port):
            self.tagged(frame, vlan)

    def tagged(self, frame, vlan):
        """Send a frame on the trunk."""
        if vlan is not None:
            frame = frame[:12] + struct.pack("!HH", ETH_P_8021Q, vlan) + frame[12:]
        self._trunk.send(frame)

    def _downlink(self):
        for frame, tci in self._frames(self._trunk):
            vlan = None if tci is None else tci & 0xFFF
            self.from_trunk[vlan] = self.from_trunk.get(vlan, 0) + 1
            if vlan in self._access:
                self._access[vlan].send(frame)
            else:
                self.dropped += 1

    def close(self):
        self._stop = True
        for t in self._threads:
            t.join(2)
        for s in (self._trunk, *self._access.values()):
            s.close()


def socket_index(s):
    """Of the interface that a packet socket is bound to."""
    request = struct.pack("16si16x", s.getsockname()[0].encode(), 0)
    return struct.unpack("16si16x", fcntl.ioctl(s, 0x8933, request))[1]  # SIOCGIFINDEX
