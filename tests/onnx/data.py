# SPDX-License-Identifier: Apache-2.0
"""Where the models of ONNX's own suites lie: directories in $KETTE_ONNX_DATA (separated by ":"),
else Debian's libonnx-testdata for 1.12, and for 1.23 the archive shared/onnx/onnx-tests.tar.xz
next to the checkout, unpacked once into the build folder.
"""
import os
import pathlib
import tarfile
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("KETTE_BUILD", SOURCE / "build"))
DEBIAN = pathlib.Path("/usr/lib/python3/dist-packages/onnx/backend/test/data")


def is_newer(root):
    """Suites after 1.12 have operators that 1.12 has not."""
    return any((root / "node").glob("test_attention_*"))


def unpack():
    """The archive next to the checkout, unpacked into the build folder; None without it."""
    archive = SOURCE.parent / "shared" / "onnx" / "onnx-tests.tar.xz"
    if not archive.is_file():
        return None
    state = archive.stat()
    folder = BUILD / "tests" / "onnx"
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"data-{state.st_size}-{int(state.st_mtime)}"
    if not place.is_dir():
        # Renamed when whole, so that another test never sees half of it.
        fresh = tempfile.mkdtemp(prefix="unpack-", dir=folder)
        with tarfile.open(archive) as tar:
            tar.extractall(fresh, filter="data") if hasattr(tarfile, "data_filter") else tar.extractall(fresh)
        try:
            os.rename(fresh, place)
        except OSError:
            if not place.is_dir():
                raise
    return place / "onnx-tests"


def find_data(version):
    named = os.environ.get("KETTE_ONNX_DATA")
    if named:
        roots = [pathlib.Path(root) for root in named.split(":") if root]
        roots = [root for root in roots if is_newer(root) == (version != "1.12")]
        return roots[0] if roots else None
    return DEBIAN if version == "1.12" else unpack()
