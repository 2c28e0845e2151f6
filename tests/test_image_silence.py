"""What C libraries print reaches neither stdout nor stderr."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.cli import cnn_process, environment
from helpers.large import encoded
from PIL import Image

from cnn_cli.image.opening import open_image
from cnn_cli.image.silence import silenced


def damaged_tiff() -> bytes:
    """Return a TIFF of which libtiff says on stderr that its LZW codes are wrong."""
    content = bytearray(encoded(Image.new("L", (60, 60), 90), "TIFF", compression="tiff_lzw"))
    content[12:20] = b"\xff" * 8
    return bytes(content)


def test_a_decoder_that_prints_is_not_heard(workplace: Path, trained_run: Path) -> None:
    (workplace / "t.tiff").write_bytes(damaged_tiff())
    code = "import sys; from PIL import Image; Image.open('t.tiff').load()"
    plain = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert plain.stderr.splitlines()[0] != "Traceback (most recent call last):"  # libtiff's own line
    outcome = cnn_process("predict", "--json", "t.tiff", "one.png", "-k", trained_run)
    assert outcome.code == 3
    assert outcome.out.count("\n") == 1
    using, error, _ = outcome.err.splitlines()
    assert using.startswith("using ")
    assert error.startswith("error: t.tiff: is damaged or cut short (")


def test_a_program_that_pillow_would_start_is_not_started(workplace: Path, trained_run: Path) -> None:
    """Pillow hands PostScript to Ghostscript, whatever the file's name."""
    (workplace / "bin").mkdir()
    (workplace / "bin/gs").write_text("#!/bin/sh\ntouch started\necho printed\n")
    (workplace / "bin/gs").chmod(0o755)
    header = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 60 60\n%%EndComments\nshowpage\n"
    (workplace / "eps.png").write_text(header)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{workplace / 'bin'}{os.pathsep}{os.environ['PATH']}")
        outcome = cnn_process("predict", "eps.png", "-k", trained_run)
    assert outcome.code == 3
    assert outcome.out == ""
    assert "error: eps.png: is a PostScript program, not an image" in outcome.err
    assert not (workplace / "started").exists()


def test_both_streams_come_back(capfd: pytest.CaptureFixture[str]) -> None:
    with silenced():
        os.write(1, b"lost")
        os.write(2, b"lost")
    with pytest.raises(ZeroDivisionError), silenced():
        1 / 0  # noqa: B018
    os.write(1, b"out")
    os.write(2, b"err")
    assert capfd.readouterr() == ("out", "err")


def test_a_stream_that_was_closed_is_left_alone(tmp_path: Path) -> None:
    """The descriptor of a closed stderr is that of the next file, here of the image."""
    (tmp_path / "a.png").write_bytes(encoded(Image.new("L", (40, 40), 90), "PNG"))
    code = (
        "from pathlib import Path; from cnn_cli.image.decode import decode\n"
        f"print(decode(Path({str(tmp_path / 'a.png')!r}), name='x').gray.mean())"
    )
    run = subprocess.run(
        ["bash", "-c", '"$0" -c "$1" 2>&-', sys.executable, code],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert run.stdout == "90.0\n"


def test_what_other_threads_print_is_kept_while_a_png_is_decoded(capfd: pytest.CaptureFixture[str]) -> None:
    content = encoded(Image.new("L", (60, 60), 90), "PNG")
    with open_image(content, name="x"):
        os.write(1, b"from another thread\n")
    assert capfd.readouterr().out == "from another thread\n"
