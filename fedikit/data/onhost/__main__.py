"""Where the program starts on a host: this file lies beside the package `onhost` there."""

import importlib
import sys

sys.dont_write_bytecode = True  # it would stay when the program leaves
sys.exit(importlib.import_module("onhost.program").start())
