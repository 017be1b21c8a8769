"""How often 95 % intervals of a paired difference hold the truth, on simulated test sets of few and many speakers.

    PYTHONPATH=tests .venv/bin/python tests/bench/intervals.py

Beside each coverage stands how often the truth lay below and above the interval. Both should be 2.5 %.
"""

import argparse
import time

import numpy as np

from huidu.core.stats.paired import paired_interval, resampled_differences
from huidu.core.stats.paired_test import TRUE_DIFFERENCE, SimulatedSet, simulated_sets

SPEAKERS = (10, 30, 100)
METHODS = ("jackknife over speakers", "normal over utterances", "bootstrap over speakers")


def intervals(simulated: SimulatedSet, resamples: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """The 95 % intervals of one set, in the order of METHODS."""
    counts = simulated.by_speaker()
    jackknife = paired_interval(*counts)
    low, high = np.percentile(resampled_differences(*counts, resamples, rng), (2.5, 97.5))
    return [(jackknife.low, jackknife.high), simulated.by_utterance(), (float(low), float(high))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=400)
    parser.add_argument("--repaired", default="0.1,0.5,1", help="shares of the baseline's errors the candidate repairs")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.perf_counter()
    print(f"{options.sets} sets each; the candidate is 20 % worse: {100 * TRUE_DIFFERENCE:.1f} errors per 100 tokens")
    print("repaired  speakers " + "".join(f"{method:>32}" for method in METHODS))
    for repaired in map(float, options.repaired.split(",")):
        for speakers in SPEAKERS:
            rng = np.random.default_rng((options.seed, speakers))
            found = simulated_sets(options.sets, speakers, rng, repaired)
            bounds = np.array([intervals(simulated, options.resamples, rng) for simulated in found])
            below, above = 100 * (bounds[..., 0] > TRUE_DIFFERENCE), 100 * (bounds[..., 1] < TRUE_DIFFERENCE)
            row = "".join(
                f"{100 - low - high:14.1f} % ({low:4.1f} and {high:4.1f})"
                for low, high in zip(below.mean(axis=0), above.mean(axis=0), strict=True)
            )
            print(f"{repaired:8.0%}  {speakers:8d} {row}", flush=True)
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
