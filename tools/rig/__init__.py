# SPDX-License-Identifier: MIT
"""The test rig: Debian guests in QEMU, built and driven from one checkout."""
