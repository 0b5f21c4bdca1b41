"""A bundle as one tar.gz file that equal bundles share, byte for byte."""

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from llm2llm.exceptions import DataError
from llm2llm.files import replacing

_LEVEL = 6


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
                archive.extractall(temporary, filter="data")
        except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as failure:
            raise DataError(
                f"{path}: cannot be unpacked ({failure}); expected a bundle's tar.gz: get it again"
            ) from None
        tops = sorted(Path(temporary).iterdir())
        yield tops[0] if len(tops) == 1 and tops[0].is_dir() else Path(temporary)
