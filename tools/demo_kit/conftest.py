"""Lets the tests here import the scripts beside them, which are no package of the product."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
