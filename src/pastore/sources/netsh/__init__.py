"""Scripts of ``netsh ipsec`` and ipseccmd, as people write them: the policies that they would make."""

from pastore.sources.choice import choose
from pastore.sources.loaded import Loaded
from pastore.sources.log import FindingLog
from pastore.sources.netsh.encoding import codec_of, decode
from pastore.sources.netsh.interpreter import Interpreter, finding_without_commands
from pastore.sources.netsh.show import load_show

__all__ = ["codec_of", "load_script", "load_show"]


def load_script(data: bytes, source: str, wanted: str | None = None, *, encoding: str | None = None) -> Loaded:
    """Read the policies that a script makes, and choose one.

    Parameters
    ----------
    data : bytes
        A batch file, a file for ``netsh -f`` or the output of ``netsh ipsec dump``: UTF-8, UTF-16, GB18030 or a code page.
    source : str
        The script as the user named it.
    wanted : str, optional
        Name or GUID of a policy; see `pastore.sources.choice.choose`.
    encoding : str, optional
        A codec, for a script that has no byte order mark.

    Returns
    -------
    Loaded
        Findings: PA113 and PA118 about the encoding, PA136 and PA309 what is of no use, PA141 to PA145 what cannot be carried
        out or known, PA321 to PA329 what the script does wrong, and those of `choose`.
    """
    log = FindingLog(source)
    script = Interpreter(decode(data, log, encoding), log)
    script.run()
    policies = script.policies()
    if not policies:
        if not script.has_commands():
            return Loaded(None, (*log.findings(), finding_without_commands(source)))
        log.add("PA103", "the script makes no policy")
        return Loaded(None, log.findings())
    chosen, choice = choose(policies, wanted, source=source)
    return Loaded(chosen, (*log.findings(), *choice), policies)
