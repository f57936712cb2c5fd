"""Which pair: every key spreads, and traffic stays put when a pair leaves."""

import time

from scene import PROBES, Scene

PAIRS = (("p0", "ab"), ("p1", "cd"), ("p2", "ef"))
KEYS = 30


def config(select, pairs=PAIRS):
    def make(rack):
        return rack.config("".join(rack.pair_config(n, m, extra=PROBES) for n, m in pairs),
                           service=f"select: {select}")

    return make


def place(s, phones, keys, text_of):
    """Which member gets each key's request."""
    where = {}
    for key in keys:
        phone = phones(key)
        phone.send(text_of(phone, key))
    end = time.monotonic() + 10
    while set(where) != set(keys) and time.monotonic() < end:
        for name, member in s.members.items():
            while (m := member.recv(0.01)) is not None:
                if m.get("x-key") in keys:
                    where.setdefault(m.get("x-key"), name)
                    member.reply(m, 200)
    assert set(where) == set(keys), set(keys) - set(where)
    return where


def spread_and_stay(lab, select, phones_of, text_of):
    s = Scene(lab, config=config(select), servers="abcdef")
    keys = [f"k{i}" for i in range(KEYS)]
    phones = phones_of(s)
    first = place(s, phones, keys, text_of)
    assert place(s, phones, keys, text_of) == first
    assert set(first.values()) == {"a", "c", "e"}, first
    s.appliance.rewrite(config(select, PAIRS[:2])(s.rack))
    s.appliance.ctl("reload")
    second = place(s, phones, keys, text_of)
    assert set(second.values()) == {"a", "c"}, second
    moved = [k for k in keys if first[k] != "e" and first[k] != second[k]]
    assert len(moved) <= 1, moved  # at most 1 % of the others' share
    s.finish()


def one_phone(s):
    phone = s.phone()
    return lambda key: phone


def test_aor_and_registration_meet(lab):
    s = Scene(lab, config=config("aor"), servers="abcdef")
    phone = s.phone()
    keys = [f"u{i}" for i in range(KEYS)]

    def register(ua, key):
        return ua.request("REGISTER", "sip:example.com", to=f"<sip:{key}@example.com>", headers=[f"X-Key: {key}"])

    def call(ua, key):
        return ua.request("MESSAGE", "sip:z@example.com", from_=f"<sip:{key}@EXAMPLE.com>", contact=False,
                          headers=[f"X-Key: {key}"])

    registered = place(s, lambda key: phone, keys, register)
    assert set(registered.values()) == {"a", "c", "e"}
    assert place(s, lambda key: phone, keys, call) == registered
    s.finish()


def test_select_aor(lab):
    spread_and_stay(lab, "aor", one_phone, lambda ua, k: ua.request(
        "MESSAGE", "sip:z@example.com", from_=f"<sip:{k}@example.com>", contact=False, headers=[f"X-Key: {k}"]))


def test_select_call_id(lab):
    spread_and_stay(lab, "call-id", one_phone, lambda ua, k: ua.request(
        "MESSAGE", "sip:z@example.com", call_id=f"{k}@here", contact=False, headers=[f"X-Key: {k}"]))


def test_select_request_uri_user(lab):
    spread_and_stay(lab, "request-uri-user", one_phone, lambda ua, k: ua.request(
        "MESSAGE", f"sip:{k}@example.com", contact=False, headers=[f"X-Key: {k}"]))


def test_select_source_address(lab):
    def phones_of(s):
        phones = {}
        for i in range(KEYS):
            s.rack.callers.address("eth0", f"203.0.113.{100 + i}/24")
            phones[f"k{i}"] = s.phone(ip=f"203.0.113.{100 + i}")
        return phones.get

    spread_and_stay(lab, "source-address", phones_of, lambda ua, k: ua.request(
        "MESSAGE", "sip:z@example.com", contact=False, headers=[f"X-Key: {k}"]))
