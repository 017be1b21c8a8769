"""How many files a process of ours may have open."""

import contextlib
import resource

# More would help nobody, and some systems have no limit at all.
MOST_OPEN_FILES = 65_536


def raise_open_files() -> int:
    """Raises this process's soft limit to its hard one, at most to 65536; returns what holds then.

    Each client costs a file or two, and 1024, the usual soft limit, are soon used up. A limit is never lowered.
    """
    soft, hard = (MOST_OPEN_FILES if limit == resource.RLIM_INFINITY else limit for limit in _limits())
    wanted = min(hard, MOST_OPEN_FILES)
    if soft < wanted:
        # Where it is not allowed after all, the limit stays as it is.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, _limits()[1]))
            return wanted
    return min(soft, MOST_OPEN_FILES)


def _limits() -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_NOFILE)
