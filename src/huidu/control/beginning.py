"""With what control begins: the stored state, corrected by the routes in force. Pure.

Routes say which releases had ended by then (`Routes.ended`). Where they know of an end that the store does not, control
died, or the store was exchanged for an earlier copy, before it could be recorded: what is in force stands.
"""

from dataclasses import replace

from huidu.control.decide import View
from huidu.core.plan import Plan, Rules
from huidu.core.record import Happening, Outcome, Record
from huidu.core.release import Event, Fleet, Phase, Release, advance, begin, placed, put_back, settled
from huidu.core.routes import Routes

_UNRECORDED = "before it could be recorded"


def from_routes(routes: Routes, fence: int, plan: Plan, rules: Rules, lost: str, now: float) -> tuple[View, Record]:
    """The state behind routes of which the store knows nothing, and its record.

    Their stable version is the stable one. A release that serves ends: nobody knows what it has shown, nor its plan.
    """
    fleet = Fleet(routes.stable, last_release=max(routes.release or 0, routes.ended or 0), fence=fence)
    fleet = _placed(fleet, routes)
    said = lost or "the store holds nothing of what is in force: it was lost, or another was put in its place"
    happening = Happening(fleet.last_release, now, "store_lost", {"reason": said})
    if routes.release is None or routes.candidate is None:
        return View(replace(fleet, previous=_warm(routes))), Record(happenings=(happening,))
    release = begin(routes.release, routes.candidate, routes.stable, plan, rules, now, routes.salt, routes.generation)
    over = advance(release, Event.FAILED, now)
    reason = f"rolled back: its record is lost ({said})"
    outcome = Outcome("rolled_back", "unknown", None, reason)
    return View(settled(fleet, over)), Record(over, outcome=outcome, happenings=(happening,))


def _warm(routes: Routes) -> str | None:
    return routes.previous if routes.previous is not None and routes.upstream(routes.previous) else None


def _placed(fleet: Fleet, routes: Routes) -> Fleet:
    """The fleet with the addresses of processes that routes lead to."""
    for upstream in routes.upstreams:
        if upstream.managed and upstream.addresses:
            fleet = placed(fleet, upstream.version, upstream.addresses[0])
    return fleet


def caught_up(view: View, routes: Routes, now: float) -> tuple[View, Record] | None:
    """The view after an end that is in force and not recorded, and its record; None where the store knows all."""
    fleet, release = view.fleet, view.fleet.release
    if routes.ended is None:
        return None
    fleet = replace(fleet, last_release=max(fleet.last_release, routes.ended))
    if release is None:
        if routes.candidate is not None or routes.stable == fleet.stable or routes.ended < view.fleet.last_release:
            return None
        payload = {"from": fleet.stable, "to": routes.stable, "by": "somebody", "reason": f"put back {_UNRECORDED}"}
        happening = Happening(view.fleet.last_release, now, "put_back", payload)
        back = _placed(put_back(fleet, routes.stable), routes)
        return replace(view, fleet=back), Record(happenings=(happening,))
    if routes.ended < release.id:
        return None
    if routes.release == release.id:
        return _share_ended(view, release, now)
    if routes.stable == release.candidate:
        over = replace(release, phase=Phase.PROMOTED, entered_at=now, held=None, held_by=None)
        outcome = Outcome("promoted", release.stage_name, None, f"promoted {_UNRECORDED}")
    else:
        over = replace(advance(release, Event.FENCED, now), entered_at=now)
        outcome = Outcome("rolled_back", release.stage_name, None, f"rolled back {_UNRECORDED}")
    payload = {"from": release.stage_name, "to": outcome.outcome, "reason": outcome.reason}
    happening = Happening(release.id, now, Event.FENCED.value, payload)
    after = _placed(settled(fleet, over), routes)
    return replace(view, fleet=after), Record(over, view.watch, outcome, happenings=(happening,))


def _share_ended(view: View, release: Release, now: float) -> tuple[View, Record] | None:
    if release.share_ended or not release.serving:
        return None
    reason = f"the share has ended {_UNRECORDED}"
    blinded = advance(release, Event.BLINDED, now, reason)
    happening = Happening(release.id, now, Event.BLINDED.value, {"from": release.stage_name, "reason": reason})
    return replace(view, fleet=settled(view.fleet, blinded)), Record(blinded, view.watch, happenings=(happening,))
