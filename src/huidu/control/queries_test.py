"""What `status` says, from values."""

import json
from types import SimpleNamespace
from typing import Any, cast

from huidu.control.controller import Controller
from huidu.control.decide import View
from huidu.control.queries import status
from huidu.core.plan import Plan, Rules, Share
from huidu.core.record import Watch
from huidu.core.release import Event, Fleet, advance, begin, placed, settled

NUMBERS = {"candidate_units": 12, "stable_units": 468, "share": 0.2, "p_value": 2.4e-21}


def said(view: View) -> dict[str, Any]:
    config = SimpleNamespace(stable="v1")
    controller = SimpleNamespace(view=view, config=config, processes={}, golden_done=None, last_release=None)
    return status(cast("Controller", controller), None, 5.0)


def in_share(*events: Event, watch: Watch) -> View:
    release = begin(1, "v2", "v1", Plan((Share(2000, 8.0), Share(10_000, 8.0))), Rules(), 0.0)
    for event in (Event.ADMITTED, *events):
        release = advance(release, event, 1.0)
    return View(settled(placed(placed(Fleet("v1"), "v1", "h:1"), "v2", "h:2"), release), watch)


def test_a_mismatch_is_told_in_its_stage_in_both_languages() -> None:
    watch = Watch(mismatches={"share:2000": NUMBERS})
    (alarm,) = said(in_share(watch=watch))["alarms"]
    assert (alarm["alarm"], alarm["numbers"]) == ("sample_ratio_mismatch", NUMBERS)
    assert alarm["reason"].startswith("12 of 480 users on the candidate (2.5 %) where 20 % were meant")
    assert alarm["reason_zh"].startswith("480 位用户中有 12 位分到候选版本")
    assert json.loads(json.dumps(alarm)) == alarm


def test_without_a_mismatch_in_this_stage_there_is_no_alarm() -> None:
    assert said(View(Fleet("v1", addresses=(("v1", "h:1"),))))["alarms"] == []
    assert said(in_share(watch=Watch()))["alarms"] == []
    assert said(in_share(Event.PROMOTE_ASKED, watch=Watch(mismatches={"share:2000": NUMBERS})))["alarms"] == []
