"""A bundle as one tar.gz file that equal bundles share, byte for byte."""

import gzip
import shlex
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from llm2llm.bundle.layout import MANIFEST
from llm2llm.exceptions import DataError
from llm2llm.files import replacing

_LEVEL = 6
# Of a damaged archive; the last three of one that names a file as a folder too.
_UNREADABLE = (
    tarfile.TarError,
    EOFError,
    gzip.BadGzipFile,
    zlib.error,
    FileExistsError,
    NotADirectoryError,
    IsADirectoryError,
)


def write_archive(folder: Path, path: Path, top: str) -> None:
    """Pack a folder below the name `top`: sorted, owned by nobody, from the year 1970."""
    with (
        replacing(path) as temporary,
        temporary.open("wb") as stream,
        gzip.GzipFile("", "wb", _LEVEL, stream, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for entry in sorted(path for path in folder.rglob("*") if path.is_file()):
            info = tarfile.TarInfo(f"{top}/{entry.relative_to(folder).as_posix()}")
            info.size = entry.stat().st_size
            info.mode = 0o644
            with entry.open("rb") as source:
                archive.addfile(info, source)


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """Yield the folder of a bundle, which is given as such or as an archive.

    Raises DataError where it is neither, or where the archive would write outside its folder.
    """
    if path.is_dir():
        yield path
        return
    if not path.is_file():
        raise DataError(f"{path}: no such file or folder; expected a bundle or its archive")
    with TemporaryDirectory(prefix="bundle-") as temporary:
        try:
            with tarfile.open(path, "r:*") as archive:
                _unpack(archive, Path(temporary).resolve())
        except _UNREADABLE as failure:
            reason = str(failure).partition("\n")[0].rstrip(" :")
            raise DataError(
                f"{path}: cannot be unpacked ({reason}); expected a bundle's folder or its tar.gz:"
                f" {_instead(path)}"
            ) from None
        tops = sorted(Path(temporary).iterdir())
        yield tops[0] if len(tops) == 1 and tops[0].is_dir() else Path(temporary)


def _instead(path: Path) -> str:
    """Name the bundle that a file lies in, if it does."""
    if (path.parent / MANIFEST).is_file():
        return f"name the folder, {shlex.quote(str(path.parent))}"
    return "get it again"


def _unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Write the files of an archive, of which each must lie in the folder, with modes of our own.

    Python's filter for that came with 3.11.4.
    """
    for member in archive:
        target = (folder / member.name).resolve()
        if not target.is_relative_to(folder) or not (member.isfile() or member.isdir()):
            raise tarfile.TarError(f"{member.name!r} is no file or folder inside it")
        if member.isdir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        source = archive.extractfile(member)
        assert source is not None  # as it is a file
        with source, target.open("xb") as stream:
            shutil.copyfileobj(source, stream)
