"""The entry point of the command `cpazmal`."""

from __future__ import annotations

import sys

_STOPPED = (
    '{"error": {"kind": "stopped", "exit_code": 130, "what": "stopped; nothing was done", '
    '"where": null, "remedy": null}}\n'
)


def main() -> None:
    """Run the command line; Ctrl-C while it is still loading ends it as it does later."""
    if sys.platform == "win32":
        sys.exit("cpazmal: this program runs on Linux and macOS; on Windows, run it in WSL")
    try:
        from cpazmal_scale.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("cpazmal: stopped; nothing was done\n")
        if "--json" in sys.argv:
            sys.stdout.write(_STOPPED)
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
