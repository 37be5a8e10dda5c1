"""GET /metrics on the control socket, as Prometheus reads it."""

import http.client
import re
import socket
import subprocess

from conftest import wait_until

AGENT = "agent001@contoso.com"
LINE = re.compile(r'(presenced_[a-z_]+)(\{(?:[a-z]+="(?:[^"\\\n]|\\.)*",?)+\})? (\S+)')


class Socket(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


def metrics(sim):
    connection = Socket(sim.folder / "control.sock")
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    found = {}
    for line in answer.read().decode().splitlines():
        if not line.startswith("# "):
            match = LINE.fullmatch(line)
            assert match, line
            name, labels, value = match.groups()
            found[name + (labels or "")] = float(value)
    connection.close()
    return found


def test_metrics(sim, make_presenced):
    script = sim.folder / 'odd "name".lua'
    script.write_text("error('no')\n")
    (sim.folder / "rules.lua").write_text("ruleset { states = { Ready = teams.available } }\n")
    sim.change_config(lambda xml: xml.replace('State="', 'Rules="rules.lua" State="').replace(
        "<Account", "<Script File='odd \"name\".lua'/><Account", 1))
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send({"agent": AGENT, "state": "Ready"}, {"agent": AGENT})
    wait_until(lambda: sim.shown(AGENT)[0] == "Available", "it shows")
    request = 'presenced_graph_requests_total{account="contoso.com",operation="setPresence",outcome="applied"}'
    wait_until(lambda: metrics(sim).get(request) == 1, "its answer is counted")
    (sim.folder / "rules.lua").write_text("ruleset {\n")
    presenced.wait_for("the rules are not reloaded")
    found = metrics(sim)
    assert found['presenced_events_total{outcome="accepted"}'] == 1
    assert found['presenced_events_total{outcome="refused"}'] == 1
    assert sum(value for name, value in found.items() if name.startswith("presenced_events_total{")) == 2
    assert found['presenced_rule_errors_total'] == 0
    assert found['presenced_rules_generation'] == 1
    assert found['presenced_rules_reloads_total{result="refused"}'] == 1
    assert found['presenced_graph_requests_allowed{account="contoso.com"}'] == 1500
    assert sum(value for name, value in found.items() if name.startswith("presenced_agents{")) == 1
    failures = [value for name, value in found.items() if name.startswith("presenced_script_failures_total{")
                and r'odd \"name\".lua"' in name]
    assert len(failures) == 1 and failures[0] >= 1
    assert 0 in [value for name, value in found.items() if name.startswith("presenced_script_running{")]
