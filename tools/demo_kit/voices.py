"""Speech from espeak-ng, with noise, the telephone band and the Opus codec on top.

Waveforms are float32 arrays of shape ``(samples,)`` at 16 kHz within -1 to 1.
"""

from __future__ import annotations

import io
import random
import subprocess
from dataclasses import dataclass

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import butter, resample_poly, sosfilt

Wave = NDArray[np.float32]

SAMPLE_RATE_HZ = 16_000

# The plain `cmn` voice of espeak-ng 1.51 reads pinyin as English; this one speaks Mandarin.
_LANGUAGE = "cmn-latn-pinyin"
_TELEPHONE_BAND_HZ = (300.0, 3_400.0)
_PEAK = 0.6
_SILENCE_BELOW = 0.01
_MARGIN_S = 0.12

# libsndfile maps 0 to 256 kbit/s and 1 to 6 kbit/s; this value gives about 17 kbit/s on the test part.
OPUS_COMPRESSION = 0.95


@dataclass(frozen=True, slots=True)
class Take:
    """One way to say a sentence: everything that makes its audio, except the words."""

    voice: str  # a variant of espeak-ng such as f2; empty for the plain voice
    speed_wpm: int
    pitch: int  # 0 to 99, as espeak-ng counts
    condition: str  # clean, noise or telephone
    snr_db: float
    opus: bool
    seed: int  # of the noise

    @property
    def speaker(self) -> str:
        """The name of the voice as the kit writes it."""
        return speaker_of(self.voice)


def speaker_of(voice: str) -> str:
    """Name a variant of espeak-ng: ``f2`` is ``cmn+f2``, the plain voice is ``cmn``."""
    return f"cmn+{voice}" if voice else "cmn"


@dataclass(frozen=True, slots=True)
class Studio:
    """The takes a part of the data is drawn from: voices, and shares of the conditions."""

    voices: tuple[str, ...]
    noise: float
    telephone: float
    snr_db: tuple[float, float] = (15.0, 30.0)
    speed_wpm: tuple[int, int] = (165, 230)
    opus: float = 0.6

    def draw(self, rng: random.Random, voice: str | None = None) -> Take:
        """Draw a take, in any of the voices or in the one given."""
        kind = rng.random()
        noisy, telephone = kind < self.noise, self.noise <= kind < self.noise + self.telephone
        return Take(
            voice=rng.choice(self.voices) if voice is None else voice,
            speed_wpm=rng.randint(*self.speed_wpm),
            pitch=rng.randint(25, 75),
            condition="noise" if noisy else "telephone" if telephone else "clean",
            snr_db=round(rng.uniform(*self.snr_db), 1),
            opus=rng.random() < self.opus,
            seed=rng.randrange(2**31),
        )


def render(spoken: str, take: Take) -> Wave:
    """Speak a text (spaces are short pauses) as the take says."""
    wave = _loud_enough(_trimmed(_speak(spoken, take)))
    if take.condition == "telephone":
        wave = telephone_band(wave)
    if take.condition != "clean":
        wave = with_noise(wave, take.snr_db, take.seed)
    if take.condition == "telephone":
        wave = telephone_band(wave)  # the line's noise is band-limited too
    return through_opus(wave) if take.opus else wave


def _speak(spoken: str, take: Take) -> Wave:
    voice = f"{_LANGUAGE}+{take.voice}" if take.voice else _LANGUAGE
    command = ["espeak-ng", "-v", voice, "-s", str(take.speed_wpm), "-p", str(take.pitch), "--stdout"]
    done = subprocess.run([*command, spoken.replace(" ", "，")], check=True, capture_output=True)
    samples, rate_hz = soundfile.read(io.BytesIO(done.stdout), dtype="float32")
    return np.asarray(resample_poly(samples, SAMPLE_RATE_HZ, rate_hz), dtype=np.float32)


def _trimmed(wave: Wave) -> Wave:
    """Cut the silence of the synthesiser and put a short margin of the same length everywhere."""
    loud = np.flatnonzero(np.abs(wave) > _SILENCE_BELOW * np.abs(wave).max())
    margin = np.zeros(int(_MARGIN_S * SAMPLE_RATE_HZ), dtype=np.float32)
    return np.concatenate([margin, wave[loud[0] : loud[-1] + 1], margin])


def _loud_enough(wave: Wave) -> Wave:
    return np.asarray(wave * (_PEAK / np.abs(wave).max()), dtype=np.float32)


def with_noise(wave: Wave, snr_db: float, seed: int) -> Wave:
    """Add white noise so that speech is `snr_db` louder, both measured as mean power."""
    noise = np.random.default_rng(seed).standard_normal(wave.size).astype(np.float32)
    level = np.sqrt(np.mean(wave**2) / 10 ** (snr_db / 10))
    return np.asarray(np.clip(wave + level * noise, -1, 1), dtype=np.float32)


def telephone_band(wave: Wave) -> Wave:
    """Keep 300 to 3400 Hz, the band of a telephone line; the sample rate stays."""
    sos = butter(6, _TELEPHONE_BAND_HZ, btype="bandpass", fs=SAMPLE_RATE_HZ, output="sos")
    return np.asarray(sosfilt(sos, wave), dtype=np.float32)


def through_opus(wave: Wave) -> Wave:
    """Encode and decode, so that training hears what the kit's files hold."""
    samples, _ = soundfile.read(io.BytesIO(opus_bytes(wave)), dtype="float32")
    return np.asarray(samples, dtype=np.float32)


def opus_bytes(wave: Wave) -> bytes:
    """Encode as 16 kHz mono Ogg/Opus."""
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, SAMPLE_RATE_HZ, format="OGG", subtype="OPUS", compression_level=OPUS_COMPRESSION)
    return buffer.getvalue()
