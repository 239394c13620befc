"""The `vmaspace` command, and `python -m vmaspace.checker`: the same entrance."""

import sys

INTERRUPTED = 3  # as `vmaspace.checker.report.verdict.Exit` has it, which is not there yet


def entrance() -> int:
    """Run the command; returns its exit code. Ctrl-C while the tools are being loaded is no traceback either."""
    try:
        from vmaspace.checker.cli import main

        return main()
    except KeyboardInterrupt:
        print("vmaspace: interrupted", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(entrance())
