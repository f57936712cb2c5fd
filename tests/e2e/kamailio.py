"""Kamailio as a member: a registrar with Path, a loose-routing proxy that record-routes, sharing its locations with its
twin (dmq_usrloc), with digest authentication where a test wants it."""

import os

from lab import wait_for

CONFIG = """
#!KAMAILIO
debug=2
log_stderror=yes
fork=yes
children=2
tcp_children=1
disable_tcp=yes
listen=udp:{ip}:5060
listen=udp:{ip}:5062
server_header="Server: {name}"
alias=example.com
# Each of the two takes the other one's Route values for its own: the survivor carries on its dialogs.
alias=udp:{peer}:5060
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "path.so"
loadmodule "auth.so"
loadmodule "dmq.so"
loadmodule "dmq_usrloc.so"
loadmodule "jsonrpcs.so"

modparam("jsonrpcs", "transport", 2)
modparam("jsonrpcs", "fifo_name", "{dir}/{name}.fifo")
modparam("registrar", "use_path", 1)
modparam("registrar", "path_mode", 0)
modparam("usrloc", "db_mode", 0)
modparam("rr", "enable_full_lr", 1)
# Shared nonces: what one of the two challenged, the other accepts.
modparam("auth", "secret", "shared-by-both")
modparam("dmq", "server_address", "sip:{ip}:5062")
modparam("dmq", "notification_address", "sip:{peer}:5062")
modparam("dmq", "ping_interval", 2)
modparam("dmq_usrloc", "enable", 1)
modparam("dmq_usrloc", "sync", 1)

request_route {{
    if (is_method("KDMQ") && $rp == 5062) {{
        dmq_handle_message();
        exit;
    }}
    if (!mf_process_maxfwd_header("10")) {{
        sl_send_reply("483", "Too Many Hops");
        exit;
    }}
    if (is_method("OPTIONS") && $rU == $null) {{
        sl_send_reply("200", "OK");
        exit;
    }}
    if (has_totag()) {{
        if (is_method("ACK") && !t_check_trans() && !loose_route()) {{
            exit;
        }}
        loose_route();
        t_relay();
        exit;
    }}
    if (is_method("CANCEL")) {{
        if (t_check_trans()) t_relay();
        exit;
    }}
    if (is_method("ACK")) {{
        if (t_check_trans()) t_relay();
        exit;
    }}
    if ({auth} == 1 && is_method("REGISTER|INVITE") && $si != "{peer}") {{
        if (is_method("REGISTER")) {{
            if (!pv_www_authenticate("example.com", "secret", "0")) {{
                www_challenge("example.com", "1");
                exit;
            }}
        }} else if (!has_credentials("example.com")) {{
            proxy_challenge("example.com", "1");
            exit;
        }} else if (!pv_proxy_authenticate("example.com", "secret", "0")) {{
            proxy_challenge("example.com", "1");
            exit;
        }} else {{
            consume_credentials();
        }}
    }}
    if (is_method("REGISTER")) {{
        save("location");
        exit;
    }}
    if (is_method("OPTIONS")) {{
        # Whether a phone's location is known here.
        if (registered("location")) sl_send_reply("200", "Registered");
        else sl_send_reply("404", "Not Registered");
        exit;
    }}
    loose_route();
    remove_hf("Route");
    record_route();
    if (!lookup("location")) {{
        sl_send_reply("404", "Not Found");
        exit;
    }}
    t_relay();
}}
"""


class Kamailio:
    """One Kamailio on a server's namespace."""

    def __init__(self, rack, name, peer, auth=False):
        self.rack, self.name = rack, name
        lab = rack.lab
        self.path = lab.file(
            f"kamailio-{name}.cfg",
            CONFIG.format(ip=rack.server_ip(name), peer=rack.server_ip(peer), name=name, dir=lab.dir, auth=int(auth)),
        )
        self.process = None
        self.runs = 0

    def start(self):
        self.runs += 1
        run_dir = os.path.join(self.rack.lab.dir, f"kamailio-{self.name}.run")
        os.makedirs(run_dir, exist_ok=True)
        self.process = self.rack.servers[self.name].start(
            f"kamailio-{self.runs}", "kamailio", "-f", self.path, "-DD", "-E", "-m", "64", "-M", "8", "-Y", run_dir,
            "-w", run_dir, "-x", "tlsf", "-X", "tlsf", "-P", f"{run_dir}/pid",
        )
        wait_for(f"kamailio {self.name}", self._listens, 20)
        return self

    def _listens(self):
        assert self.process.alive(), self.process.tail()
        return "5062" in self.rack.servers[self.name].exec("ss", "-lunH")

    def kill(self):
        self.process.kill()

