"""`python -m lib.tools.bundle [-o FILE]`: analysis.py and what it needs of lib/ as one readable file for TagoIO.

The header, the docstring, what can be used and the part to edit come first, then a table of
contents; the imports, the modules under banners and the entrypoint follow. Comments are kept, nothing is encoded, and
the same sources give the same file to the letter. What would mean another thing in one file than in many is refused,
with the names of what is in the way.

With `--wheel`, for those who have a place for files: a wheel of lib beside FILE, and FILE is analysis.py alone.
"""

import argparse
import sys
from pathlib import Path

from lib.tools.bundle.layout import LARGEST, NOTHING_BELOW, bundle
from lib.tools.bundle.source import BundleError
from lib.tools.bundle.wheel import HEADER, check_place, script_for, version_of, write_wheel
from lib.tools.terminal import complain, perform, typed

ROOT = Path(__file__).resolve().parents[3]


def main(arguments: list[str] | None = None) -> int:
    return perform(lambda: _main(arguments))


def _main(arguments: list[str] | None) -> int:
    parser = argparse.ArgumentParser(prog=typed("lib.tools.bundle"), description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("notify.py"), help="the file to write (notify.py)")
    parser.add_argument("--wheel", action="store_true", help="a wheel of lib beside it; the file is analysis.py alone")
    parser.add_argument(
        "--at", default="", metavar="URL", help="for --wheel: the folder where it will be found, https://… or file:///…"
    )
    options = parser.parse_args(arguments)
    output: Path = options.output
    try:
        if options.at and not options.wheel:
            raise BundleError("--at belongs to --wheel, which is not given")
        if options.at:
            check_place(options.at)
        _check_output(output)
        if options.wheel:
            wheel = write_wheel(ROOT, output.parent)
            text = script_for(ROOT, wheel, options.at)
            print(version_of(ROOT, wheel))
            print(f"{wheel}: {wheel.stat().st_size / 1024:.0f} KiB; put it where the header of {output} says")
        else:
            made = bundle(ROOT)
            text = made.text
            print(made.version)
        output.write_text(text, encoding="utf-8", newline="\n")
    except BundleError as error:
        complain(str(error))
        return 1
    except OSError as error:
        why = error.strerror if output.parent.is_dir() else f"there is no folder {output.parent}"
        complain(f"{output} cannot be written: {why}")
        return 1
    print(f"{output}: {len(text.encode()) / 1024:.0f} KiB of {LARGEST // 1024} KiB")
    return 0


def _check_output(output: Path) -> None:
    """What is there already may be an older bundle; anything else stays. Raises BundleError."""
    if not output.is_file():
        return
    is_source = output.resolve().is_relative_to(ROOT / "lib") or output.resolve() == ROOT / "analysis.py"
    there = output.read_text(encoding="utf-8", errors="replace")
    is_ours = NOTHING_BELOW in there or ("tagorun-notify @ " in there and HEADER.search(there))
    if there.strip() and (is_source or not is_ours):
        raise BundleError(f"{output} is there and is no bundle, so it stays; name another file with -o")


if __name__ == "__main__":
    sys.exit(main())
