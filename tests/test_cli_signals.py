"""Ctrl-C and SIGTERM: the exit code, whatever the program does when the signal comes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.cli import environment

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")

CODES = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
START = """
import os, signal, sys, time
from cnn_cli.cli import signals
from cnn_cli.errors import Interruption
number = int(sys.argv[1])
signals.GRACE = 0.3
signals.handle_signals()
"""


def run(script: str, number: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", START + script, str(number)]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(("number", "code"), CODES)
def test_a_signal_is_raised_with_its_code(number: signal.Signals, code: int) -> None:
    done = run(
        "try: os.kill(os.getpid(), number)\n"
        "except KeyboardInterrupt as error: print(int(error.code), type(error) is Interruption)",
        number,
    )
    assert done.stdout == f"{code} True\n"


@pytest.mark.parametrize(("number", "code"), CODES)
def test_a_program_that_swallows_the_exception_ends_all_the_same(number: signal.Signals, code: int) -> None:
    done = run(
        "try: os.kill(os.getpid(), number)\nexcept BaseException: pass\ntime.sleep(30)\nprint('still here')",
        number,
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


def test_a_program_that_waits_in_a_library_ends_all_the_same() -> None:
    """Python handles no signal while a call of C waits, here one that goes on after each signal."""
    done = run(
        "import ctypes, threading\n"
        "threading.Timer(0.1, os.kill, (os.getpid(), number)).start()\n"
        "mutex, libc = ctypes.create_string_buffer(64), ctypes.CDLL(None)\n"
        "libc.pthread_mutex_lock(mutex)\n"
        "libc.pthread_mutex_lock(mutex)\n",
        signal.SIGTERM,
    )
    assert done.returncode == 143


@pytest.mark.parametrize(("number", "code"), CODES)
def test_while_a_module_is_imported_a_signal_ends_the_program_and_raises_nothing(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """Torch's C++ aborts the process where a module that it imports raises: one start in a hundred did so."""
    module = (
        "import os, sys\ntry: os.kill(os.getpid(), int(sys.argv[1]))\nexcept BaseException: print('raised')\n"
    )
    (tmp_path / "interrupted.py").write_text(module)
    done = run(f"print('a result')\nsys.path.append({str(tmp_path)!r})\nimport interrupted", number)
    message = {130: "interrupted\n", 143: "terminated\n"}[code]
    assert (done.returncode, done.stdout, done.stderr) == (code, "a result\n", message)


@pytest.mark.parametrize(("number", "code"), CODES)
def test_what_a_library_makes_of_the_exception_is_the_signal_again(number: signal.Signals, code: int) -> None:
    script = """
try:
    with signals.raised_again():
        try: os.kill(os.getpid(), number)
        except KeyboardInterrupt: raise ImportError("initialization failed")
except Interruption as interruption: print(int(interruption.code))
"""
    assert run(script, number).stdout == f"{code}\n"


def test_an_ignored_signal_stays_ignored() -> None:
    """As for `cnn ... &` in a script, which the shell starts so."""
    script = "os.kill(os.getpid(), number); print('still here')"
    command = [sys.executable, "-c", START.replace("signals.GRACE", "signal.GRACE") + script, "2"]
    done = subprocess.run(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "still here\n"


@pytest.mark.parametrize(("number", "code"), CODES)
def test_a_training_records_the_signal(number: signal.Signals, code: int) -> None:
    script = """
with signals.stop_requests() as stop:
    assert stop() is None
    os.kill(os.getpid(), number)
    print(int(stop()), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
    print("still here")
"""
    done = run(script, number)
    assert done.stdout == f"{code}\n"
    assert done.stderr == "stopping after this step; press Ctrl-C again to exit at once\n"
    assert done.returncode == 143


@pytest.mark.parametrize("ending", ["second signal", "after GRACE", "import"])
def test_an_exit_at_once_leaves_the_terminal_with_its_cursor(tmp_path: Path, ending: str) -> None:
    (tmp_path / "interrupted.py").write_text("import os, sys; os.kill(os.getpid(), int(sys.argv[1]))")
    script = f"""
from cnn_cli import console
console.StepBar().update("drawing", 1, 3)
if {ending!r} == "import":
    sys.path.append({str(tmp_path)!r})
    import interrupted
elif {ending!r} == "after GRACE":
    try: os.kill(os.getpid(), number)
    except BaseException: time.sleep(30)
else:
    with signals.stop_requests():
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
"""
    terminal, ours = os.openpty()
    command = [sys.executable, "-c", START + script, str(int(signal.SIGINT))]
    with_bars = {**environment(), "TERM": "xterm"}
    done = subprocess.run(command, env=with_bars, stdout=subprocess.DEVNULL, stderr=ours, timeout=60)
    drawn = os.read(terminal, 100_000)
    os.close(ours)
    os.close(terminal)
    assert done.returncode == 130
    assert 0 <= drawn.find(b"\x1b[?25l") < drawn.rfind(b"\x1b[?25h")


def test_the_program_handles_signals_before_it_imports_its_commands() -> None:
    script = """
import sys
import cnn_cli.__main__
print(sorted({"typer", "torch", "rich", "pydantic"} & set(sys.modules)))
"""
    assert run(script, signal.SIGINT).stdout == "[]\n"
