"""Files that stand for a whole state: the old one until the new one is on the disk."""

import errno
import os
from contextlib import suppress


def replace_file(path: str, data: bytes, *, mode: int = 0o600) -> None:
    """Write a file so that its name always leads to all of the old content or all of the new.

    Written beside it, brought to the disk, renamed, and the folder brought to the disk too. What a killed writer left beside it
    is taken away first; there is one writer, who holds the lock of the folder.

    Parameters
    ----------
    path : str
    data : bytes
    mode : int
        Permissions of the new file.

    Raises
    ------
    OSError
        The file is as it was. If it is the folder that could not be brought to the disk, the new file is in its place and may
        be lost, whole, when the power goes.
    """
    folder, name = os.path.split(os.path.abspath(path))
    beside = os.path.join(folder, f".{name}.new")
    with suppress(FileNotFoundError):
        os.unlink(beside)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        try:
            os.fchmod(descriptor, mode)  # whatever the umask
            left = memoryview(data)
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(beside, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise
    sync_folder(folder)


def sync_folder(folder: str) -> None:
    """Bring the names in a folder to the disk; file systems that cannot say EINVAL.

    Raises
    ------
    OSError
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)
