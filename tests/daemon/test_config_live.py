"""config.xml changes while the daemon runs: a good one is taken up without a restart, a bad one replaces nothing. Whoever
loses his account, or gets another app registration, is cleared under the old one first; nobody else notices."""

import json
import os
import re
import signal
import subprocess

import pytest
from conftest import command, wait_until

ANN, BEN = "agent001@contoso.com", "agent002@contoso.com"
EVE, FAY = "eve@fabrikam.com", "fay@fabrikam.com"
AVAILABLE, IN_A_CALL, NOTHING = ("Available", "Available"), ("Busy", "InACall"), ("Offline", "Offline")
RULES = "ruleset { states = { Ready = teams.available, Talking = teams.in_a_call, Lunch = teams.be_right_back } }\n"
BUSY_RULES = "ruleset { states = { Ready = teams.in_a_call, Talking = teams.in_a_call } }\n"


def ready(agent, **more):
    return {"agent": agent, "state": "Ready", **more}


def talking(agent, **more):
    return {"agent": agent, "state": "Talking", **more}


def actions(sim):
    return sim.counters()["actions"]


class Site:
    """A config.xml over up to two tenants, and the daemon on it."""

    def __init__(self, folder, *sims):
        self.folder, self.path = folder, folder / "config.xml"
        (folder / "rules.lua").write_text(RULES)
        (folder / "ca.pem").write_text("".join((sim.folder / "ca.pem").read_text() for sim in sims))
        done = command("secret", "keygen", folder / "presenced.key")
        assert done.code == 0, done
        self.accounts, self.publisher, self.sealed = {}, {}, {}
        self.account("contoso.com", sims[0])

    def seal(self, sim, secret=None):
        """One sealed secret per tenant and text: sealing it anew would make another text of it."""
        about = sim.about
        key = about["tenant_id"], about["client_id"], secret
        if key not in self.sealed:
            other = self.folder / "seal.xml"
            other.write_text(
                f'<PresencePublisher><MsGraphPresencePublisher KeyFile="presenced.key"><Account Id="x" '
                f'ClientId="{about["client_id"]}" TenantId="{about["tenant_id"]}"/></MsGraphPresencePublisher>'
                "</PresencePublisher>")
            done = command("secret", "encrypt", "--account", "x", "-c", other, stdin=secret or about["secret"])
            assert done.code == 0, done
            self.sealed[key] = done.out.strip()
        return self.sealed[key]

    def account(self, name, sim, secret=None, **more):
        about, base = sim.about, f"https://localhost:{sim.about['port']}"
        self.accounts[name] = {
            "ClientId": about["client_id"], "TenantId": about["tenant_id"], "Authority": base, "Graph": base,
            "Encryptedsecret": self.seal(sim, secret), **more}
        return self

    def text(self):
        def attributes(values):
            return " ".join(f'{key}="{value}"' for key, value in values.items())

        publisher = {"Rules": "rules.lua", "State": "state.db", "CaFile": "ca.pem", "KeyFile": "presenced.key",
                     **self.publisher}
        lines = [f'  <Account Id="{name}" {attributes(values)}/>' for name, values in self.accounts.items()]
        return "\n".join(["<PresencePublisher>", f" <MsGraphPresencePublisher {attributes(publisher)}>", *lines,
                          " </MsGraphPresencePublisher>", "</PresencePublisher>", ""])

    def save(self, text=None):
        """As editors do: a new file, renamed over the old one."""
        other = self.folder / "config.xml.tmp"
        other.write_text(text or self.text())
        os.rename(other, self.path)
        return self

    def ask(self, *arguments):
        return command(*arguments, "-c", self.path)

    def status(self):
        answer = self.ask("status", "--json")
        assert answer.code == 0, answer
        return answer.json()

    def view(self, agent):
        return next(view for view in self.status()["agents"] if view["agent"] == agent)

    def taken_up(self, number=1):
        wait_until(lambda: self.status()["config"]["taken_up"] == number, f"change {number} is taken up")


@pytest.fixture
def make_site(tmp_path):
    def make(*sims):
        folder = tmp_path / "site"
        folder.mkdir()
        return Site(folder, *sims)

    return make


@pytest.fixture
def start(make_presenced):
    def make(site, *events):
        presenced = make_presenced(site.save().path, events="-", stdin=subprocess.PIPE)
        presenced.wait_for(" runs: ")
        presenced.send(*events)
        return presenced

    return make


@pytest.fixture
def two(make_sim, make_site):
    """Two tenants, and a site that serves contoso.com by the first, fabrikam.com by the second."""
    first, second = make_sim(), make_sim("--seed", "2", name="second")
    for sim in (first, second):
        for upn in (EVE, FAY):
            sim.post("/sim/users", {"upn": upn})
    return first, second, make_site(first, second).account("fabrikam.com", second)


def shows(sim, presence, agent):
    wait_until(lambda: sim.shown(agent) == presence, f"{agent} shows {presence}")


# -- what is refused, and what is the same ------------------------------------------------------------------------------


@pytest.mark.parametrize("change, place, what", [
    (lambda text: text.replace("<Account", "<Acount"), "config.xml:3: ", "did you mean <Account>?"),
    (lambda text: text.replace("</MsGraph", "</Ms"), "config.xml:4", ""),
    (lambda text: text.replace("pp1:", "pp1:AAAA"), "config.xml:3: account contoso.com", ""),
    (lambda text: text.replace("rules.lua", "broken.lua"), "broken.lua:1: ", "session.busy"),
], ids=["element", "xml", "secret", "ruleset"])
def test_a_bad_edit_replaces_nothing(sim, make_site, start, change, place, what):
    site = make_site(sim)
    (site.folder / "broken.lua").write_text("ruleset { states = { Ready = session.busy } }\n")
    presenced = start(site, ready(ANN))
    shows(sim, AVAILABLE, ANN)
    site.save(change(site.text()))
    presenced.wait_for("(the running configuration stays)")
    line = next(line for line in presenced.err.splitlines() if "config.xml is not taken up" in line)
    assert place in line and what in line
    if not place.startswith("config.xml:4"):  # a file that is no XML does not say where the daemon is
        config = site.status()["config"]
        assert config["failures"] == 1 and place in config["last_failure"] and config["taken_up"] == 0
        assert "config.xml IS NOT WHAT RUNS" in site.ask("status").out
    reload = site.ask("reload")
    assert reload.code == 2 and place in reload.err
    presenced.send(ready(BEN))
    shows(sim, AVAILABLE, BEN)
    site.save()  # mended
    wait_until(lambda: site.status()["config"]["last_failure"] == "", "all is well again")
    assert site.status()["config"]["taken_up"] == 0 and site.status()["rules"]["generation"] == 1


def test_a_ruleset_that_is_saved_after_the_file_that_names_it(sim, make_site, start):
    site = make_site(sim)
    presenced = start(site, ready(ANN))
    shows(sim, AVAILABLE, ANN)
    site.publisher["Rules"] = "later.lua"
    site.save()
    presenced.wait_for("(the running configuration stays)")
    (site.folder / "later.lua").write_text(BUSY_RULES)
    shows(sim, IN_A_CALL, ANN)
    assert site.status()["config"]["last_failure"] == ""


def test_what_is_the_same_does_nothing(sim, make_site, start):
    site = make_site(sim)
    presenced = start(site, ready(ANN))
    shows(sim, AVAILABLE, ANN)
    before = sim.counters()
    presenced.process.send_signal(signal.SIGHUP)
    wait_until(lambda: site.status()["rules"]["generation"] == 2, "the rules are loaded again")
    site.save(site.text().replace("<PresencePublisher>", "<PresencePublisher><!-- a comment, and another publisher -->"))
    result = site.ask("reload")
    assert result.code == 0 and "generation 3 runs: 0 agents differ" in result.out and "config" not in result.out
    config = site.status()["config"]
    assert config["taken_up"] == 0 and config["failures"] == 0
    assert sim.counters() == before
    assert "taken up" not in presenced.err


def test_a_dry_run_says_what_would_change(two, start):
    """Of a file that ReloadMaxChanges keeps from being taken up at once."""
    first, second, site = two
    (site.folder / "busy.lua").write_text(BUSY_RULES)
    presenced = start(site, ready(ANN), ready(BEN), ready(EVE))
    for sim, agent in ((first, ANN), (first, BEN), (second, EVE)):
        shows(sim, AVAILABLE, agent)
    del site.accounts["fabrikam.com"]
    site.accounts["contoso.com"].update(RequestsPer30Seconds="300", Rules="busy.lua")
    site.publisher.update(ReloadMaxChanges="1", CaFile="./ca.pem")
    site.save()
    presenced.wait_for("would change 2 agents, more than ReloadMaxChanges (1)")
    before = actions(first), actions(second)
    result = site.ask("reload", "--dry-run")
    assert result.code == 0, result
    for line in ("generation 2 (not taken up): 2 agents would differ", "account contoso.com: Rules changed",
                 "account contoso.com: RequestsPer30Seconds 1500 -> 300", "account fabrikam.com is removed",
                 "ReloadMaxChanges 0 -> 1", "CaFile: takes effect at the next start",
                 "1 agents lose their app registration; what they show would be cleared first"):
        assert line in result.out
    assert (actions(first), actions(second)) == before
    assert sim.shown(EVE) == AVAILABLE and site.status()["config"]["taken_up"] == 0


# -- changes that concern nobody's account ------------------------------------------------------------------------------


def test_limits_change_and_nobody_is_disturbed(sim, make_site, start):
    site = make_site(sim)
    presenced = start(site, ready(ANN), ready(BEN))
    shows(sim, AVAILABLE, ANN)
    shows(sim, AVAILABLE, BEN)
    before = sim.counters()
    site.accounts["contoso.com"].update(RequestsPer30Seconds="20", Lease="30m")
    site.publisher.update(Connections="4", RequestTimeout="20s", DecisionLog="7d", Batch="off")
    site.save().taken_up()
    for line in ("account contoso.com: RequestsPer30Seconds 1500 -> 20", "account contoso.com: Lease 1h -> 30m",
                 "Connections 32 -> 4", "DecisionLog 0s -> 7d", "Batch on -> off"):
        assert f"config.xml: {line}\n" in presenced.err
    assert sim.counters() == before  # same token, nothing sent again
    account = site.status()["accounts"][0]
    assert account["requests_per_30_seconds"] == 20 and account["token"] == "valid"
    # What was sent before counts: two, and so 18 more are let through at once.
    presenced.send(*(ready(f"agent{n:03}@contoso.com") for n in range(3, 40)))
    wait_until(lambda: actions(sim)["setPresence"] == 20, "the new budget is used up")
    assert sim.counters()["max_in_30s"] == 20 and sim.counters()["batches"] == 0


def test_what_waits_for_the_next_start_is_named(sim, make_site, start):
    site = make_site(sim)
    presenced = start(site, ready(ANN))
    shows(sim, AVAILABLE, ANN)
    site.publisher.update(CaFile="./ca.pem", Proxy="http://user:hunter2@127.0.0.1:1")
    site.save()
    presenced.wait_for("CaFile, Proxy: takes effect at the next start")
    assert site.status()["config"]["taken_up"] == 0
    site.publisher.update(StopTimeout="4s")  # together with something that is taken up
    site.save().taken_up()
    assert site.status()["config"]["waits_for_start"] == "CaFile, Proxy"
    assert "CaFile, Proxy: takes effect at the next start" in site.ask("status").out
    assert presenced.err.count("takes effect at the next start") == 1
    assert "hunter2" not in presenced.err
    presenced.send(ready(BEN))
    shows(sim, AVAILABLE, BEN)


def test_another_ruleset(sim, make_site, start):
    site = make_site(sim)
    (site.folder / "busy.lua").write_text(BUSY_RULES)
    presenced = start(site, ready(ANN))
    shows(sim, AVAILABLE, ANN)
    site.accounts["contoso.com"]["Rules"] = "busy.lua"
    site.save()
    shows(sim, IN_A_CALL, ANN)
    presenced.wait_for("generation 2: 1 agents decided again, 1 presences differ")
    (site.folder / "busy.lua").write_text(RULES)  # and it is watched
    shows(sim, AVAILABLE, ANN)
    refused = site.ask("reload", "--rollback")  # to generation 2, which ran under this configuration
    assert refused.code == 0


def test_reload_max_changes_counts_here_too(sim, make_site, start):
    site = make_site(sim)
    (site.folder / "busy.lua").write_text(BUSY_RULES)
    presenced = start(site, ready(ANN), ready(BEN))
    shows(sim, AVAILABLE, ANN)
    shows(sim, AVAILABLE, BEN)
    site.publisher.update(Rules="busy.lua", ReloadMaxChanges="1")
    site.save()
    presenced.wait_for("would change 2 agents, more than ReloadMaxChanges (1)")
    assert sim.shown(ANN) == AVAILABLE


def test_another_secret(sim, make_site, start):
    site = make_site(sim).account("contoso.com", sim, secret="not this one")
    presenced = start(site, ready(ANN))
    presenced.wait_for("no new token: ")
    site.account("contoso.com", sim)
    site.save()
    shows(sim, AVAILABLE, ANN)
    before = sim.counters()
    site.account("contoso.com", sim, secret="nor this one")  # the token that there is holds, until it ends
    site.save().taken_up(2)
    wait_until(lambda: site.status()["accounts"][0]["token"] == "valid, renewal fails", "the new secret is tried")
    presenced.send(ready(BEN))
    shows(sim, AVAILABLE, BEN)
    after = sim.counters()
    assert after["tokens_issued"] == before["tokens_issued"] == 1
    assert after["actions"] == {**before["actions"], "setPresence": 2}  # nothing cleared, nothing sent again
    assert presenced.err.count("account contoso.com: Encryptedsecret changed") == 2
    assert "this one" not in presenced.err


def test_scripts_change_along(sim, make_site, start):
    site = make_site(sim)
    presenced = start(site)
    (site.folder / "policy.lua").write_text('on.decision(function(event) log("info", "seen " .. event.agent) end)\n')
    text = site.text()
    site.save(text.replace("  <Account", '  <Script File="policy.lua"/>\n  <Account'))
    presenced.wait_for("policy.lua: started")
    presenced.send(ready(ANN))
    presenced.wait_for(f"seen {ANN}")
    site.save(text)
    presenced.wait_for("policy.lua: cancelled")
    site.taken_up(2)
    assert site.status()["scripts"] == []


# -- accounts come and go -----------------------------------------------------------------------------------------------


def test_an_added_account(two, start):
    first, second, site = two
    fabrikam = site.accounts.pop("fabrikam.com")
    presenced = start(site, ready(ANN), ready(EVE))
    shows(first, AVAILABLE, ANN)
    wait_until(lambda: site.view(EVE)["phase"] == "parked", "nobody serves her")
    before = first.counters()
    site.accounts["fabrikam.com"] = fabrikam
    site.save()
    shows(second, AVAILABLE, EVE)  # what was said before counts
    presenced.send(ready(FAY))
    shows(second, AVAILABLE, FAY)
    assert "account fabrikam.com is added" in presenced.err
    assert first.counters() == before and site.status()["unserved"] == []


def test_a_removed_account_is_cleared_with_its_own_credentials(two, start):
    first, second, site = two
    presenced = start(site, ready(ANN), ready(EVE), {**ready(FAY), "state": "Lunch"})
    shows(first, AVAILABLE, ANN)
    shows(second, AVAILABLE, EVE)
    shows(second, ("BeRightBack", "BeRightBack"), FAY)
    before = first.counters()
    del site.accounts["fabrikam.com"]
    site.save().taken_up()
    assert second.user(EVE)["shown"]["availability"] == second.user(FAY)["shown"]["availability"] == "Offline"
    assert actions(second)["clearPresence"] == 2 and actions(second)["clearUserPreferredPresence"] == 1
    assert "account fabrikam.com is removed" in presenced.err
    assert "2 of them are served by no account now" in presenced.err
    assert site.status()["left_behind"] == [] and "still show" not in presenced.err
    assert first.counters() == before
    eve = site.view(EVE)
    assert eve["account"] == "" and eve["parked"] == "no account serves it" and eve["uccs"][0]["state"] == "Ready"
    # And back: what was said meanwhile counts.
    presenced.send({**ready(EVE), "state": "Talking"})
    site.account("fabrikam.com", second).save()
    shows(second, IN_A_CALL, EVE)
    shows(second, ("BeRightBack", "BeRightBack"), FAY)
    assert first.counters() == before


def test_other_ids_are_another_tenant(two, start):
    """contoso.com moves: its agents are cleared in the old tenant, and shown in the new one, where they have other ids."""
    first, second, site = two
    presenced = start(site, ready(ANN), ready(BEN), ready(EVE))
    for sim, agent in ((first, ANN), (first, BEN), (second, EVE)):
        shows(sim, AVAILABLE, agent)
    del site.accounts["fabrikam.com"]
    site.account("contoso.com", second, Domains="contoso.com fabrikam.com").save()
    for agent in (ANN, BEN):
        shows(second, AVAILABLE, agent)
        assert first.shown(agent) == NOTHING
    site.taken_up()
    assert actions(first)["clearPresence"] == 2
    assert "account contoso.com: TenantId changed" in presenced.err
    assert site.view(ANN)["id"] == second.user(ANN)["id"] != first.user(ANN)["id"]
    # eve's account is another by name, but the same app registration: same token, nothing cleared or sent again.
    assert site.view(EVE)["account"] == "contoso.com" and actions(second)["clearPresence"] == 0
    assert actions(second)["setPresence"] == 3 and second.counters()["tokens_issued"] == 1
    # The state file knows it all.
    presenced.kill()
    again = start(site, {**ready(EVE), "state": "Talking"})
    shows(second, IN_A_CALL, EVE)
    assert again.process.poll() is None and actions(second)["setPresence"] == 4
    assert {view["account"] for view in site.status()["agents"]} == {"contoso.com"}


def test_a_domain_moves_from_one_account_to_another(two, start):
    first, second, site = two
    site.accounts["contoso.com"]["Domains"] = "contoso.com fabrikam.com"
    site.accounts["fabrikam.com"]["Domains"] = "other.com"
    start(site, ready(ANN), ready(EVE))
    shows(first, AVAILABLE, ANN)
    shows(first, AVAILABLE, EVE)
    before = actions(first)
    site.accounts["contoso.com"]["Domains"] = "contoso.com"
    site.accounts["fabrikam.com"]["Domains"] = "fabrikam.com other.com"
    site.save()
    shows(second, AVAILABLE, EVE)
    assert first.shown(EVE) == NOTHING and first.shown(ANN) == AVAILABLE
    assert actions(first) == {**before, "clearPresence": 1} and first.counters()["tokens_issued"] == 1
    assert second.counters()["tokens_issued"] == 1  # it had one before


# -- the time that it takes ---------------------------------------------------------------------------------------------


def test_what_cannot_be_cleared_is_left_behind_and_said(two, start):
    """Nothing of the old tenant answers: that is waited for, not for ever."""
    first, second, site = two
    site.publisher["ReleaseTimeout"] = "1s"
    presenced = start(site, ready(ANN), ready(EVE), ready(FAY))
    shows(first, AVAILABLE, ANN)
    shows(second, AVAILABLE, EVE)
    shows(second, AVAILABLE, FAY)
    second.faults("503", "token-500")
    del site.accounts["fabrikam.com"]
    site.save().taken_up()
    presenced.wait_for("2 agents of account fabrikam.com still show something; it ends by itself by ")
    left = site.status()["left_behind"]
    assert left[0]["account"] == "fabrikam.com" and left[0]["agents"] == 2 and left[0]["until"] > site.status()["time"]
    assert "2 agents of account fabrikam.com still show something" in site.ask("status").out
    assert first.shown(ANN) == AVAILABLE and actions(first)["setPresence"] == 1


def test_a_registration_that_changed_while_nothing_ran(two, start):
    """What the old tenant shows is out of reach, and said; in the new one everybody begins anew."""
    first, second, site = two
    second.post("/sim/users", {"upn": ANN})
    del site.accounts["fabrikam.com"]
    presenced = start(site, talking(ANN))
    shows(first, IN_A_CALL, ANN)
    presenced.stop()
    site.account("contoso.com", second)
    presenced = start(site)
    presenced.wait_for("account contoso.com has another app registration than when the state file was written; its 1 ")
    presenced.wait_for("1 agents of account contoso.com still show something; it ends by itself by ")
    shows(second, IN_A_CALL, ANN)
    assert site.status()["left_behind"][0]["account"] == "contoso.com"
    presenced.stop()
    presenced = start(site)  # it is known now, and nothing is sent again
    presenced.send(talking(BEN))
    shows(second, IN_A_CALL, BEN)
    assert site.view(ANN)["confirmed"] and site.status()["left_behind"] == []
    assert actions(second)["setPresence"] == 2 and actions(first)["setPresence"] == 1  # ANN's once in each


def test_killed_while_agents_are_handed_over(two, start):
    first, second, site = two
    second.post("/sim/users", {"upn": ANN})
    del site.accounts["fabrikam.com"]
    presenced = start(site, talking(ANN))
    shows(first, IN_A_CALL, ANN)
    first.faults("503")
    site.account("contoso.com", second).save()
    presenced.wait_for("lose their app registration")
    presenced.kill()
    first.faults()
    presenced = start(site)
    presenced.wait_for("1 agents of account contoso.com still show something")
    shows(second, IN_A_CALL, ANN)


def test_an_account_that_went_while_nothing_ran(two, start):
    first, second, site = two
    presenced = start(site, talking(ANN), talking(EVE))
    shows(first, IN_A_CALL, ANN)
    shows(second, IN_A_CALL, EVE)
    presenced.stop()
    kept = site.accounts.pop("fabrikam.com")
    presenced = start(site)
    presenced.wait_for("config.xml has no account fabrikam.com any more, and nothing has cleared what its agents show")
    left = site.status()["left_behind"]
    assert left[0]["account"] == "fabrikam.com" and left[0]["agents"] == 1
    presenced.stop()
    site.accounts["fabrikam.com"] = kept  # as it was: what is shown is known again
    start(site)
    assert site.view(EVE)["confirmed"] and site.status()["left_behind"] == []
    assert actions(second)["setPresence"] == 1


def test_an_account_that_comes_back_as_another(two, start):
    """Likewise when it comes back while the daemon runs."""
    first, second, site = two
    second.post("/sim/users", {"upn": ANN})
    presenced = start(site, talking(ANN))
    shows(first, IN_A_CALL, ANN)
    presenced.stop()
    del site.accounts["contoso.com"]
    presenced = start(site)
    site.account("contoso.com", second).save().taken_up()
    presenced.wait_for("account contoso.com has another app registration")
    shows(second, IN_A_CALL, ANN)
    assert actions(first)["setPresence"] == 1


def test_check_knows_whether_the_budget_is_enough(sim, make_site, start):
    """One line for each app registration; and what a daemon that runs needs, before it is too late."""
    site = make_site(sim)
    site.account("fabrikam.com", sim)
    agents = [f"agent{number:03}@contoso.com" for number in range(1, 13)]
    start(site, *[ready(agent) for agent in agents])
    wait_until(lambda: actions(sim)["setPresence"] == len(agents), "all are set")
    enough = site.ask("check")
    assert enough.code == 0 and "fade" not in enough.out
    line = "accounts contoso.com, fabrikam.com (one app registration): 1500 requests per 30 s refresh 13366 Available"
    assert enough.out.count("refresh ") == 1 and line in enough.out
    for account in site.accounts.values():
        account["RequestsPer30Seconds"] = "1"
    few = site.save().ask("check")
    assert few.code == 0
    assert "registration): what the running daemon keeps up takes at least 0.04 requests/s, which is more than the 0.03" in (
        few.out)


def test_a_token_endpoint_that_is_down(two, start):
    """The old account never had a token, and so shows nothing: there is nothing to wait for."""
    first, second, site = two
    second.faults("token-500")
    presenced = start(site, ready(ANN), ready(EVE))
    shows(first, AVAILABLE, ANN)
    presenced.wait_for("account fabrikam.com: no new token")
    del site.accounts["fabrikam.com"]
    site.save().taken_up()
    assert site.status()["left_behind"] == []


def test_no_time_at_all(two, start):
    first, second, site = two
    presenced = start(site, ready(ANN), ready(EVE))
    shows(first, AVAILABLE, ANN)
    shows(second, AVAILABLE, EVE)
    site.publisher["ReleaseTimeout"] = "0s"
    del site.accounts["fabrikam.com"]
    site.save().taken_up()
    presenced.wait_for("1 agents of account fabrikam.com still show something")
    assert actions(second)["clearPresence"] == 0


@pytest.fixture
def held(two, start):
    """A removal that waits for Graph, for ten minutes at most."""
    first, second, site = two
    site.publisher["ReleaseTimeout"] = "10m"
    presenced = start(site, ready(ANN), ready(EVE))
    shows(first, AVAILABLE, ANN)
    shows(second, AVAILABLE, EVE)
    second.faults("503")
    fabrikam = site.accounts.pop("fabrikam.com")
    site.save()
    presenced.wait_for("1 agents lose their app registration; what is ours is cleared first, for at most 10m")
    return first, second, site, presenced, fabrikam


def test_events_meanwhile_are_not_lost(held):
    first, second, site, presenced, fabrikam = held
    config = site.status()["config"]
    assert config["cleared_first"] == 1 and config["until"] > site.status()["time"] and config["taken_up"] == 0
    assert "being taken up: 1 agents" in site.ask("status").out
    presenced.send({**ready(EVE), "state": "Talking"}, ready(FAY), ready(BEN))
    shows(first, AVAILABLE, BEN)  # the others go on
    wait_until(lambda: len(site.status()["agents"]) == 4, "all are known")
    assert second.shown(FAY) == NOTHING
    until = site.status()["config"]["until"]
    again = site.ask("reload")  # looks again, and does not begin again
    assert "generation 2 waits: 0 agents differ" in again.out and "and are cleared first" in again.out
    assert site.status()["config"]["until"] == until
    second.faults()
    site.ask("resync", EVE)  # instead of waiting for the next try
    site.taken_up()
    assert second.shown(EVE) == NOTHING and second.shown(FAY) == NOTHING
    assert site.view(EVE)["uccs"][0]["state"] == "Talking"
    site.accounts["fabrikam.com"] = fabrikam
    site.save()
    shows(second, IN_A_CALL, EVE)
    shows(second, AVAILABLE, FAY)


def test_a_change_that_is_taken_back_meanwhile(held):
    first, second, site, presenced, fabrikam = held
    site.accounts["fabrikam.com"] = fabrikam
    site.save()
    presenced.wait_for("config.xml is as it was")
    second.faults()
    site.ask("resync", EVE)
    shows(second, AVAILABLE, EVE)
    assert "until" not in site.status()["config"] and site.status()["config"]["taken_up"] == 0


def test_a_newer_change_meanwhile(held):
    first, second, site, presenced, fabrikam = held
    (site.folder / "rules.lua").write_text(BUSY_RULES)
    site.accounts["contoso.com"]["Lease"] = "30m"
    site.save()
    presenced.wait_for("account contoso.com: Lease 1h -> 30m")
    second.faults()
    site.ask("resync", EVE)
    site.taken_up()
    shows(first, IN_A_CALL, ANN)
    assert second.shown(EVE) == NOTHING


def test_killed_or_asked_to_end_meanwhile(held, start):
    first, second, site, presenced, fabrikam = held
    presenced.stop()
    second.faults()
    assert presenced.process.returncode == 0
    again = start(site, ready(BEN))
    shows(first, AVAILABLE, BEN)
    site.accounts["fabrikam.com"] = fabrikam  # her rows are there, and loaded with the account
    site.save()
    shows(second, AVAILABLE, EVE)
    assert again.process.poll() is None


def test_many_changes_lose_nobody(two, start):
    """fabrikam.com goes to and fro between the tenants while its agents change; in the end all is as it should be."""
    first, second, site = two
    names = [f"agent{n:03}@contoso.com" for n in range(3, 43)]
    presenced = start(site, *map(ready, names), ready(EVE))
    for turn in range(1, 7):
        site.account("contoso.com", (first, second)[turn % 2])
        site.accounts["fabrikam.com"]["Lease"] = f"{30 + turn}m"
        site.save()
        presenced.send(*({"agent": name, "state": ("Talking", "Ready")[turn % 2]} for name in names[turn:]))
        site.taken_up(turn)
    talking = wait_until(
        lambda: [user for user in first.state()["users"] if user["shown"]["activity"] == "InACall"][33:], "they talk")
    assert talking
    wait_until(lambda: all(view["confirmed"] for view in site.status()["agents"]), "all is confirmed")
    shown = {user["upn"]: user["shown"]["activity"] for user in first.state()["users"]}
    assert all(shown[name] == "InACall" for name in names[6:])
    assert not any(user["shown"]["availability"] != "Offline" for user in second.state()["users"] if user["upn"] != EVE)
    assert second.shown(EVE) == AVAILABLE
    assert max(sim.counters()["max_in_flight_per_user"] for sim in (first, second)) == 1
    text = re.sub(r".*INFO.*|.*Graph.*", "", presenced.err)
    assert "broken promise" not in text and json.loads(site.ask("status", "--json").out)["left_behind"] == []
