"""What goes wrong with a directory as a whole."""

from pastore.findings import Finding
from pastore.model import Origin


class DirectoryError(Exception):
    """Nothing, or not everything, could be had from a directory.

    Parameters
    ----------
    code : str
        The finding code that this is reported as.
    message : str
        One sentence that says what to do about it; never a password.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def finding(self, source: str, locator: str = "") -> Finding:
        """Return it as a finding about a source."""
        return Finding(self.code, str(self), Origin(source, locator))


class NoSuchEntryError(DirectoryError):
    """The directory has no entry of that name, or does not show it to this user."""
