"""Where the program starts on a host: this file lies beside the package `onhost` there."""

import importlib
import sys

sys.exit(importlib.import_module("onhost.program").start())
