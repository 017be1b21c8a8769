"""Who speaks in which part of the data, and through what."""

from __future__ import annotations

from collections.abc import Sequence

from voices import Studio, speaker_of

COMMON_VOICES = ("", "f1", "f2", "f3", "f4", "f5", "m1", "m2", "m3", "m4", "m5", "m6", "m7")
# Voices that v1, which never heard them, gets wrong by 5 % to 60 %; v3 is trained on them.
ROUGH_VOICES = (
    *("klatt", "klatt2", "klatt3", "klatt5", "klatt6", "iven", "iven3", "steph2", "steph3", "m8", "rob"),
    *("quincy", "Denis", "Hugo", "edward2", "belinda", "benjamin", "caleb", "adam", "boris", "Andy", "pedro"),
)
# No model is trained on these; the second group is hard for v1.
UNSEEN_VOICES = ("Annie", "Nguyen", "Tweaky", "max")
HARD_UNSEEN_VOICES = ("Storm", "iven2", "klatt4", "robert")

# The shares of the test part; within a group, voices take turns.
TEST_VOICES: Sequence[tuple[float, tuple[str, ...]]] = (
    (0.90, COMMON_VOICES),
    (0.05, UNSEEN_VOICES),
    (0.05, HARD_UNSEEN_VOICES),
)

# v1 and v2 know common voices and little noise; v3 knows rough voices, more noise, more telephone.
PLAIN_STUDIO = Studio(COMMON_VOICES, noise=0.2, telephone=0.1)
WIDE_STUDIO = Studio(COMMON_VOICES + ROUGH_VOICES, noise=0.3, telephone=0.25, snr_db=(8.0, 30.0))
TEST_STUDIO = Studio((), noise=0.2, telephone=0.2, snr_db=(12.0, 30.0), opus=0.0)

# The speakers that some version was trained on.
TRAINED = frozenset(speaker_of(voice) for voice in COMMON_VOICES + ROUGH_VOICES)
