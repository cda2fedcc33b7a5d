"""Settings for all tests."""

import matplotlib

matplotlib.use("Agg")  # pictures go to memory; no windows open, on any system
