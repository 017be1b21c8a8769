"""`python -m huidu` is `huidu`."""

import sys

from huidu.cli.main import main

sys.exit(main())
