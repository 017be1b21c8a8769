"""What `status` says, from values."""

import json
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any, cast

import pytest

from huidu.control.controller import Controller
from huidu.control.decide import View
from huidu.control.queries import stage_words, status
from huidu.core.alarms import Alarm, AlarmKind
from huidu.core.evidence import Sums, VersionSums
from huidu.core.plan import Golden, Plan, Rules, Share
from huidu.core.record import Watch
from huidu.core.release import Event, Fleet, advance, begin, placed, settled
from huidu.core.safety import ProbeState
from huidu.core.spool import Head
from huidu.core.verdict import Code, Verdict
from huidu.ports import Process, Reach

NUMBERS = {"candidate_units": 12, "stable_units": 468, "share": 0.2, "p_value": 2.4e-21}


def said(view: View, sees_messages: bool = True, **changes: Any) -> dict[str, Any]:
    config = SimpleNamespace(stable="v1", managed=frozenset({"v1"}), sees_messages=sees_messages)
    known: dict[str, Any] = {"processes": {}, "reached": {}, "golden_done": None, "last_release": None, "unwatched": ()}
    known["spooled"] = {}
    known["unrecorded"] = None
    controller = SimpleNamespace(view=view, config=config, **(known | changes))
    found = status(cast("Controller", controller), None, 5.0)
    assert json.loads(json.dumps(found)) == found
    return found


def in_share(*events: Event, watch: Watch = Watch(), plan: Plan | None = None, **changes: Any) -> View:
    release = begin(1, "v2", "v1", plan or Plan((Share(2000, 8.0), Share(10_000, 8.0))), Rules(), 0.0)
    for event in (Event.ADMITTED, *events):
        release = advance(release, event, 1.0)
    return View(settled(placed(placed(Fleet("v1"), "v1", "h:1"), "v2", "h:2"), release), watch, **changes)


def test_a_mismatch_is_told_in_both_languages() -> None:
    view = in_share(alarms=(Alarm(AlarmKind.SAMPLE_RATIO_MISMATCH, numbers=NUMBERS),))
    (alarm,) = said(view)["alarms"]
    assert (alarm["alarm"], alarm["numbers"]) == ("sample_ratio_mismatch", NUMBERS)
    assert alarm["reason"].startswith("12 of 480 users on the candidate (2.5 %) where 20 % were meant")
    assert alarm["reason_zh"].startswith("480 位用户中有 12 位分到候选版本")


@pytest.mark.parametrize(
    ("alarm", "reason", "reason_zh"),
    [
        (
            Alarm(AlarmKind.EVIDENCE_STALLED, "the gateway does not answer", seconds=4.26, blinds=True),
            "the gateway's evidence has stopped: the gateway does not answer",
            "网关的证据中断",
        ),
        (
            Alarm(AlarmKind.NO_TEXT, "v2", {"probes": 3.0}),
            "v2 gave no text for a clip",
            "v2 对稳定版本能识别的音频连续 3 次",
        ),
        (Alarm(AlarmKind.UNREACHABLE, "v2 at h:2 refuses connections"), "v2 at h:2 refuses", "v2 at h:2 refuses"),
        (
            Alarm(AlarmKind.CLOCK_JUMPED, numbers={"seconds": -3600.0}),
            "the machine's clock has jumped by -3600 s",
            "本机时钟跳变了 -3600 秒",
        ),
        (Alarm(AlarmKind.SOURCE_UNREADABLE, "history.db is locked"), "history.db is locked", "history.db is locked"),
    ],
)
def test_every_alarm_is_told_and_why_the_release_waits(alarm: Alarm, reason: str, reason_zh: str) -> None:
    found = said(in_share(alarms=(alarm,)))
    (told,) = found["alarms"]
    assert told["reason"].startswith(reason)
    assert told["reason_zh"].startswith(reason_zh)
    assert told["seconds"] == round(alarm.seconds, 1)
    assert found["release"]["held"] == told["reason"]


def test_a_hold_comes_before_an_alarm_and_without_either_nothing_is_held() -> None:
    view = in_share(Event.PAUSE_ASKED, alarms=(Alarm(AlarmKind.UNREACHABLE, "gone"),))
    assert said(view)["release"]["held"] == "pause_asked"
    assert said(in_share())["release"]["held"] is None
    assert said(View(Fleet("v1", addresses=(("v1", "h:1"),))))["alarms"] == []


def test_a_control_that_decides_nothing_says_so_before_all_else() -> None:
    failing = Alarm(AlarmKind.SOURCE_UNREADABLE, "control cannot watch: database is locked", seconds=3.0)
    found = said(in_share(), unwatched=(failing,))
    assert [each["alarm"] for each in found["alarms"]] == ["source_unreadable"]
    assert found["release"]["held"].startswith("control cannot watch: database is locked")


def test_a_share_that_has_ended_is_told() -> None:
    found = said(in_share(Event.BLINDED))
    assert (found["share_bp"], found["release"]["share_ended"], found["candidate"]) == (0, True, "v2")
    assert "resume_asked" in found["release"]["accepted"]


def sums(requests: int, users: int, peers: dict[str, int] | None = None, sockets: int = 0) -> VersionSums:
    units = frozenset(f"{number:016x}" for number in range(users))
    return VersionSums(requests=requests, units=units, peers=peers or {}, sockets=sockets)


def counted(candidate: VersionSums, stable: VersionSums, **changes: Any) -> dict[str, Any]:
    found = said(in_share(sums={"share:2000": Sums({"v1": stable, "v2": candidate})}, **changes))
    release: dict[str, Any] = found["release"]
    return release


def test_what_a_stage_waits_for_is_told_side_by_side() -> None:
    found = counted(sums(12, 1), sums(400, 9))
    assert found["missing"] == [
        {"side": "candidate", "what": "recognitions", "have": 12, "need": 100},
        {"side": "candidate", "what": "users", "have": 1, "need": 3},
    ]
    assert found["waits_for"] == "candidate: 12 of 100 recognitions, 1 of 3 users"
    assert found["waits_for_zh"] == "候选：识别 12/100 次，用户 1/3 位"
    found = counted(sums(100, 3), sums(100, 3))
    assert (found["missing"], found["waits_for"]) == ([], "")


def test_before_the_first_share_nothing_is_waited_for() -> None:
    plan = Plan((Golden("set.tsv"), Share(2000, 8.0), Share(10_000, 8.0)))
    found = said(in_share(plan=plan), golden_done=(3, 40))["release"]
    assert (found["missing"], found["golden"]) == ([], {"done": 3, "of": 40})


def test_evidence_that_is_mostly_one_clients_is_noted_and_nothing_else() -> None:
    peers = {"recorder": 90, "other": 10}
    found = counted(sums(100, 3, peers), sums(400, 9, {f"p{number}": 8 for number in range(50)}))
    (note,) = found["notes"]
    assert note.startswith("90 % of the candidate's recognitions come from one client address")
    assert found["notes_zh"] == ["候选版本的识别中有 90% 来自同一个客户端地址：录音系统或同一代理后的用户属于正常情况"]
    # A handful says nothing, and where addresses are not known there is none.
    assert counted(sums(19, 3, {"one": 19}), sums(400, 9))["notes"] == []


def test_what_carries_no_audio_and_what_sockets_there_were_are_shown() -> None:
    found = counted(sums(100, 3, sockets=40), sums(100, 3), others={"v2": 5143})
    assert found["others"] == {"v2": 5143}
    meant = {"requests": 100, "failed": 0, "users": 3, "texts": 0, "sockets": 40, "peers": 0}
    assert found["compared"]["candidate"] == meant


@pytest.mark.parametrize(
    ("probe", "word"),
    [
        (ProbeState(), "none"),
        (ProbeState(0, True, False, 3), "heard"),
        (ProbeState(2, True, False, 3), "silent"),
        (ProbeState(0, False, False, 3), "not_measured"),
    ],
)
def test_what_clips_have_shown_is_one_word(probe: ProbeState, word: str) -> None:
    assert said(in_share(watch=Watch(probe=probe)))["release"]["probe"] == word


def test_a_guard_that_nothing_in_the_traffic_shows_is_not_measured_and_never_zero() -> None:
    watch = Watch({"empty": Verdict("empty", Code.NOT_SEEN, {"candidate_requests": 300, "stable_requests": 900})})
    found = said(in_share(watch=watch))["guards"]
    assert found["empty"]["verdict"] == "not_measured"
    assert "0.0" not in found["empty"]["reason"]
    assert (found["latency"]["verdict"], found["latency"]["reason"]) == ("undecided", "not looked at yet")


def test_whether_anybody_is_at_a_url_is_told_beside_the_version() -> None:
    reached = {"v2": Reach(False, "v2 at http://v2:80 refuses connections")}
    found = said(in_share(), reached=reached, processes={"v1": Process("v1", "running", 7, 0.0, 10)})["versions"]
    assert (found["v1"]["state"], found["v1"]["answers"], found["v1"]["reach"]) == ("running", None, None)
    assert (found["v2"]["state"], found["v2"]["answers"]) == ("elsewhere", False)
    assert found["v2"]["reach"] == reached["v2"].detail


def test_a_stage_is_written_as_the_plan_writes_it() -> None:
    written = [
        stage_words(each) for each in (Share(0, 60.0), Share(500, 60.0, 500, 20), Share(10_000, 1.0, 100, 3, 500))
    ]
    assert written == [
        "0 % for 60 s",
        "5 % for 60 s, at least 500 recognitions of 20 users",
        "100 % for 1 s, at least 100 recognitions of 3 users, holdback 5 %",
    ]
    assert asdict(Share(500, 60.0))["at_least"] == 100


def test_what_nobody_sees_of_a_versions_sockets_is_named() -> None:
    broken, sockets = ["broken_answers"], ["close_code", "first_message_ms", "frames_up", "frames_down"]
    for sees, meant in ((True, {"v1": [], "v2": []}), (False, {"v1": broken, "v2": broken + sockets})):
        versions = said(in_share(), sees_messages=sees)["versions"]
        assert {name: version["not_measured"] for name, version in versions.items()} == meant


def test_what_waits_for_the_history_and_what_was_lost_is_told_by_version() -> None:
    found = said(in_share(), spooled={"v2": Head("v2", 1, 12, 9000, 3, 4.5)})["spools"]
    assert found == {"v2": {"waiting_rows": 12, "waiting_bytes": 9000, "lost_rows": 3, "lost_at": 4.5}}
