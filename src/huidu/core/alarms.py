"""Alarms: what makes a comparison blind or unfair. While one stands, a release takes no step forward by itself.

An alarm is a name with its numbers; `wording.alarm_words` puts it into words. Missing data alone never rolls back:
when evidence stays away, the share ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class AlarmKind(StrEnum):
    SAMPLE_RATIO_MISMATCH = "sample_ratio_mismatch"
    EVIDENCE_STALLED = "evidence_stalled"
    NO_TEXT = "no_text"
    UNREACHABLE = "unreachable"
    CLOCK_JUMPED = "clock_jumped"
    SOURCE_UNREADABLE = "source_unreadable"
    STORE_UNWRITABLE = "store_unwritable"


# After so long without evidence the share's users go back to the stable version.
SHARE_ENDS_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm. `detail` is what a source itself said, `numbers` what stands behind it, `seconds` how long it stands.

    Where `blinds` is set nothing is known of users while it stands: when that lasts, the share ends.
    """

    kind: AlarmKind
    detail: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    blinds: bool = False


def ends_share(alarms: tuple[Alarm, ...]) -> Alarm | None:
    """The alarm that has lasted so long that the share must end; None where there is none."""
    return next((alarm for alarm in alarms if alarm.blinds and alarm.seconds >= SHARE_ENDS_SECONDS), None)
