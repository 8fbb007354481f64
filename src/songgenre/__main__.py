"""The program ``songgenre``, which Ctrl-C ends without a traceback, also while it is imported."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    try:
        from songgenre import cli

        cli.main()
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
