"""The command line: stlib transfer PHOTO STYLE -o OUT; sheet, batch, frames, doctor.

`python -m stlib` does the same. Exit codes: 0 done, 1 failed (of a batch or a sheet: at least one
picture), 2 wrong usage, 130 interrupted (what had been painted until then is saved).
"""

import argparse
import io
import sys
import warnings
from pathlib import Path

from stlib import __version__, _interrupt
from stlib._commands import batch, frames, sheet, transfer
from stlib._commands.options import Parser, as_options, say
from stlib._language import tr
from stlib.errors import StlibError, reason


def program() -> int:
    """The command line as a program of its own; returns its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a ? where a terminal's encoding lacks × or →
    warnings.showwarning = lambda message, *_: say(tr("warning: {message}").format(message=message))
    _interrupt.raise_again()
    code = main()
    _interrupt.ignore()
    return code


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except StlibError as error:
        told = str(error).replace("force=True", "--force")
        of_a_file = options.run in (batch.run, frames.run)  # whose names are those of arguments
        return _fail(told if of_a_file else as_options(told))
    except ValueError as error:  # an argument that style_transfer refuses
        command: Parser = options.parser  # it knows its usage
        command.error(as_options(str(error)))
    except (MemoryError, OSError, RuntimeError) as error:
        return _fail(reason(error))
    except KeyboardInterrupt:
        say(tr(_interrupt.NOTHING))
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="stlib" if Path(sys.argv[0]).stem == "stlib" else "python -m stlib",
        description=tr("Neural style transfer after Gatys, Ecker & Bethge (2016)."),
        brief="COMMAND",
    )
    parser.add_argument("--version", action="version", version=f"stlib {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    transfer.add_command(commands)
    sheet.add_command(commands)
    batch.add_command(commands)
    frames.add_command(commands)
    doctor = commands.add_parser("doctor", help=tr("is this machine ready?"))
    doctor.set_defaults(run=_doctor, parser=doctor)
    return parser


def _doctor(options: argparse.Namespace) -> int:
    from stlib.course.diagnosis import examine, report

    findings = examine()
    print(report(findings))
    return int(any(finding.remedy for finding in findings))


def _fail(message: object) -> int:
    say(tr("error: {message}").format(message=message))
    return 1


if __name__ == "__main__":
    sys.exit(program())
