"""GET /metrics on the control socket, as Prometheus reads it."""

import http.client
import re
import socket
import subprocess

from conftest import wait_until

AGENT, OTHER = "agent001@contoso.com", "agent002@contoso.com"
LINE = re.compile(r'(presenced_[a-z_]+)((?:\{(?:[a-z]+="(?:[^"\\\n]|\\[n"\\])*",?)+\})?) (-?[0-9.e+-]+)')
LE = re.compile(r',?le="([^"]+)"')


class Socket(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


def families(text):
    """{name: (type, {series: value})}; HELP and TYPE stand before the samples of a family, and all of those together."""
    assert text.endswith("\n")
    found, name, lines = {}, None, text.splitlines()
    for i, line in enumerate(lines):
        if line.startswith("# HELP "):
            name, told = line[len("# HELP "):].split(" ", 1)
            assert told.strip() and name not in found, line
            assert lines[i + 1].startswith(f"# TYPE {name} "), line
        elif line.startswith("# "):
            _, _, typed, kind = line.split(" ")
            assert typed == name and kind in ("counter", "gauge", "histogram"), line
            found[name] = (kind, {})
        else:
            match = LINE.fullmatch(line)
            assert match, line
            sample, labels, value = match.groups()
            kind, series = found[name]
            parts = [name + part for part in ("_bucket", "_sum", "_count")] if kind == "histogram" else [name]
            assert sample in parts and sample + labels not in series, line
            series[sample + labels] = float(value)
    return found


def check_histogram(name, series):
    """Of each set of labels the buckets ascend, in their bounds and their counts, and the last one holds all."""
    buckets = {}
    for key, value in series.items():
        if key.startswith(name + "_bucket"):
            bound, = LE.findall(key)
            rest = LE.sub("", key[len(name + "_bucket"):]).replace("{}", "")
            buckets.setdefault(rest, []).append((float(bound), value))
    assert buckets, name
    for labels, pairs in buckets.items():
        assert pairs == sorted(pairs) and len({bound for bound, _ in pairs}) == len(pairs), name
        assert [count for _, count in pairs] == sorted(count for _, count in pairs), name
        assert pairs[-1] == (float("inf"), series[f"{name}_count{labels}"]), name
        assert f"{name}_sum{labels}" in series, name


def metrics(sim):
    """Every series with its value; whatever is asked for, all of the text must be right."""
    wait_until((sim.folder / "control.sock").exists, "the daemon listens")
    connection = Socket(sim.folder / "control.sock")
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    found = {}
    for name, (kind, series) in families(answer.read().decode()).items():
        assert name.startswith("presenced_") and name.endswith("_total") == (kind == "counter"), name
        if kind == "histogram":
            check_histogram(name, series)
        found |= series
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


def test_commits(sim, make_presenced):
    """The histogram counts commits that wrote something: at least one per event that was acknowledged by itself."""
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send({"agent": OTHER, "state": "Ready"})
    wait_until(lambda: sim.shown(OTHER)[0] == "Available", "it shows")
    before = metrics(sim)["presenced_commit_seconds_count"]
    presenced.send({"agent": AGENT, "state": "Ready"})
    wait_until(lambda: sim.shown(AGENT)[0] == "Available", "it shows")
    assert metrics(sim)["presenced_commit_seconds_count"] > before


def test_agents_by_account(sim, make_presenced):
    account = re.search(r"<Account[^>]*/>", sim.config.read_text("utf-8")).group(0)
    other = account.replace('Id="contoso.com"', 'Id="other.example"', 1)
    sim.change_config(lambda xml: xml.replace(account, account + other))
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send({"agent": AGENT, "state": "Ready"}, {"agent": "a@nobody.example", "state": "Ready"},
                   {"agent": "b@nobody.example", "state": "Ready"})
    wait_until(lambda: sim.shown(AGENT)[0] == "Available", "it shows, so there is a token")
    waits = 'presenced_agents{account="contoso.com",phase="waiting"}'
    found = wait_until(lambda: (m := metrics(sim)).get(waits) == 1 and m, "it waits to be refreshed")
    assert found['presenced_agents{account="",phase="parked"}'] == 2
    assert sum(value for name, value in found.items() if name.startswith("presenced_agents{")) == 3
    assert found['presenced_agents{account="other.example",phase="parked"}'] == 0
    assert 0 < found['presenced_token_expires_seconds{account="contoso.com"}'] <= 3600
    assert 0 < found['presenced_token_expires_seconds{account="other.example"}'] <= 3600


def test_presence_age(sim, make_presenced):
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send({"agent": AGENT, "state": "Ready"})
    aged = "presenced_presence_age_seconds_count"
    found = wait_until(lambda: (m := metrics(sim))[aged] == 1 and m, "its presence is confirmed")
    oldest = 'presenced_presence_oldest_difference_seconds{account="contoso.com"}'
    assert found[oldest] == 0
    sim.faults("503")
    presenced.send({"agent": AGENT, "state": "Talking"})
    older = wait_until(lambda: metrics(sim)[oldest], "it does not show what it should")
    assert wait_until(lambda: (m := metrics(sim))[oldest] > older and m, "it gets older")[aged] == 1
    sim.faults()
    wait_until(lambda: sim.shown(AGENT) == ("Busy", "InACall"), "it shows")
    found = wait_until(lambda: (m := metrics(sim))[aged] == 2 and m, "its presence is confirmed")
    assert found[oldest] == 0
    assert found["presenced_presence_age_seconds_sum"] > older
    assert found["presenced_presence_lapses_total"] == 0


def test_decisions(sim, make_presenced):
    (sim.folder / "rules.lua").write_text("""ruleset {
  name = 'contoso "a"',
  rules = { rule "vip" { when = { state = "Ready", queue = "VIP" }, show = teams.busy { expires = "1h" } } },
  states = { Ready = teams.available },
}
""")
    sim.change_config(lambda xml: xml.replace('State="', 'Rules="rules.lua" State="'))
    presenced = make_presenced(sim, events="-", stdin=subprocess.PIPE)
    presenced.send({"agent": AGENT, "state": "Ready", "ucc": "voice"}, {"agent": OTHER, "state": "Sleeping", "ucc": "chat"},
                   {"agent": OTHER, "state": "Ready", "attributes": {"queue": "VIP"}, "ucc": "chat"})
    name = r'ruleset="contoso \"a\""'
    vip = r'presenced_decisions_total{%s,rule="rule \"vip\""}' % name
    found = wait_until(lambda: (m := metrics(sim)).get(vip) == 1 and m, "the rule has decided")
    assert found['presenced_decisions_total{%s,rule="states.Ready"}' % name] == 1
    assert found['presenced_decisions_total{%s,rule="unmatched"}' % name] == 1
    assert found["presenced_events_unmatched_total{%s}" % name] == 1
    assert 0 <= found['presenced_ucc_last_event_seconds{ucc="chat"}'] < 600
    assert 'presenced_ucc_last_event_seconds{ucc="voice"}' in found
