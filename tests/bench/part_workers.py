"""Instructions that steering a message takes, with and without hand-over to another worker (callgrind).

An INVITE of some 700 bytes, each a transaction of its own, and the 200 to it. `own` is the common case: the message came to
the worker that it belongs to. `spread` is a request of a source that is shared by Call-ID. What is handed on is steered a
second time, in full, by its owner; that costs what `own` does."""

import pathlib
import re
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import common  # noqa: E402

CONFIG = """
control-socket: {0}/control.sock
state-file: {0}/state.json
key-file: {0}/keys
instance: bench
ports: [ {{ name: net0, device: "net_tap0", addresses: [ 192.0.2.10/24 ] }} ]
services: [ {{ name: voice, listen: [ "udp:192.0.2.10:5060" ], pairs: [ east ] }} ]
pairs:
  - name: east
    members:
      - {{ name: east-a, role: primary, address: 192.0.2.11, port: 5060 }}
      - {{ name: east-b, role: backup, address: 192.0.2.12, port: 5060 }}
"""
CASES = ("own-request", "spread-own", "spread-other", "own-response", "other-response")
FEW, MANY = 200, 1200


def _instructions(program, config, case, n, work):
    out = f"{work}/callgrind.{case}.{n}"
    common.call(["valgrind", "--tool=callgrind", "--toggle-collect=steer_message", f"--callgrind-out-file={out}", program,
                 config, case, n])
    with open(out) as f:
        return int(re.search(r"^(?:summary|totals): (\d+)", f.read(), re.M).group(1))


def run():
    """{case: instructions a message}."""
    program = common.build("tests/dataplane/owner_cost")[0]
    with tempfile.TemporaryDirectory() as work:
        config = f"{work}/bench.yaml"
        with open(config, "w") as f:
            f.write(CONFIG.format(work))
        # The difference of two runs: what happens once, at the start, cancels out.
        each = {c: (_instructions(program, config, c, MANY, work) - _instructions(program, config, c, FEW, work))
                / (MANY - FEW) for c in CASES}
    for c in ("own-response", "other-response"):
        each[c] -= each["own-request"]  # its request was steered before it
    return each


def show(result):
    return common.table(("message", "instructions in steer_message"), [(c, round(n)) for c, n in result.items()])


if __name__ == "__main__":
    print("\n".join(show(run())))
