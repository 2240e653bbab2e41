"""One target under atheris: `python -m tests.fuzz.one TARGET [libFuzzer's own arguments]`."""

import sys

import atheris


def main() -> None:
    """Never returns: libFuzzer ends the process, with 0 when nothing was found."""
    with atheris.instrument_imports(
        include=["exchange", "local", "matching_engine", "services", "tests.fuzz.targets"]
    ):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
