"""The registry of finding codes.

PA1xx reading, PA2xx rules that cannot be applied, PA3xx rules that do not do what they seem to, PA4xx limits and what could not
be decided, PA5xx security. A code keeps its meaning for ever; its page (`pages/<code>.md`) says what it means, shows an example
and how to mend it. `win32` is the error the Windows policy agent would report and `event` the audit event it belongs to.
"""

from enum import Enum
from importlib import resources
from typing import Final, NamedTuple

from pastore.model import win32 as w


class Severity(Enum):
    """How much a finding matters. Ordered: error is the highest."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for error, 1 for warning, 2 for info."""
        return _RANKS[self]


_RANKS: Final = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


class Code(NamedTuple):
    """What is fixed about a finding: everything but the place and the particulars."""

    code: str
    severity: Severity
    title: str
    advice: str
    win32: int | None = None
    event: int | None = None


_E, _W, _I = Severity.ERROR, Severity.WARNING, Severity.INFO

_CODES: Final = (
    # PA1xx: reading
    Code("PA101", _E, "source cannot be read", "Check the path and its permissions."),
    Code("PA102", _E, "unknown format", "Give a file of a known format, or name it with --format."),
    Code(
        "PA103",
        _E,
        "no policy in the source",
        "Give a source that holds one: of a registry HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\IPSec with all its subkeys, "
        "of a directory the domain that has policies.",
    ),
    Code("PA104", _E, "no policy of that name", "Use one of the names or GUIDs listed."),
    Code("PA105", _E, "several policies and none assigned", "Pick one with --policy NAME or --policy GUID."),
    Code(
        "PA106",
        _E,
        "compiled table cannot be used",
        "Compile it again from its policy, and give check, show, explain or classify its path.",
    ),
    Code(
        "PA107",
        _E,
        "check did not come to its end",
        "Check the source alone, on a machine with more memory; if it fails again, report it.",
    ),
    Code("PA110", _E, "line is not valid .reg syntax", "Export the key again with regedit or reg export."),
    Code(
        "PA111",
        _E,
        "value ends in the middle",
        "The file was cut or edited; export the key again.",
        w.INVALID_DATA,
    ),
    Code("PA112", _W, "registry value has the wrong type", "Export the key again; the value is ignored."),
    Code("PA113", _E, "text is not valid in its encoding", "Save the file as UTF-16LE or UTF-8."),
    Code(
        "PA114",
        _E,
        "hive is damaged",
        "Copy the hive again, with reg save or from a snapshot; what is damaged was left out.",
        w.INVALID_DATA,
    ),
    Code(
        "PA115",
        _W,
        "hive was not written completely",
        "Copy the hive again together with its .LOG1 and .LOG2 and keep the three in one folder.",
    ),
    Code("PA116", _I, "transaction logs were applied", "None needed: the files themselves are left as they are."),
    Code(
        "PA117",
        _E,
        "line is not output of reg query",
        "Query the key again: reg query KEY /s > FILE.",
        w.INVALID_DATA,
    ),
    Code(
        "PA118",
        _I,
        "code page is a guess",
        "If names look wrong, save a script as UTF-8 or give --encoding, or query the registry again after chcp 65001.",
    ),
    Code(
        "PA119",
        _W,
        "line seems to be wrapped",
        "Redirect the output into a file instead of copying it from a window: reg query KEY /s > FILE.",
    ),
    Code(
        "PA120",
        _E,
        "data ends too early",
        "The object is damaged; delete and recreate it in the policy.",
        w.INVALID_DATA,
    ),
    Code(
        "PA121",
        _E,
        "count exceeds the data",
        "The object is damaged; delete and recreate it in the policy.",
        w.INVALID_DATA,
    ),
    Code(
        "PA122",
        _I,
        "stored length disagrees with the content",
        "None needed: the content is read by its counts.",
    ),
    Code(
        "PA123",
        _I,
        "bytes after the end of the object",
        "None needed, but look at the bytes if you did not expect them.",
    ),
    Code(
        "PA124",
        _E,
        "data of the wrong type",
        "The object is damaged; delete and recreate it in the policy.",
        w.INVALID_DATA,
    ),
    Code("PA125", _W, "string is not valid", "Retype the name or description."),
    Code("PA126", _W, "value outside the specification", "Check the object on the machine that wrote it."),
    Code(
        "PA127",
        _I,
        "object was written without the policy tools",
        "Find out who wrote it: an import of the key does that, and so does an intruder.",
    ),
    Code("PA128", _I, "NoDefaultExempt is from another file", "None needed if both hives are of one computer."),
    Code(
        "PA129",
        _E,
        "no services in the SYSTEM hive",
        "Give the hive of HKLM\\SYSTEM, which holds Select and ControlSet001.",
    ),
    Code(
        "PA130",
        _E,
        "reference leads nowhere",
        "Restore the missing object or remove the reference.",
        w.FILE_NOT_FOUND,
    ),
    Code("PA131", _W, "object stored twice", "Remove one of the two; the first is used."),
    Code("PA132", _E, "references form a cycle", "Remove the reference that leads back.", w.INVALID_DATA),
    Code(
        "PA133",
        _E,
        "object lacks a required value",
        "Restore the object from a backup or recreate it.",
        w.INVALID_DATA,
    ),
    Code(
        "PA134",
        _I,
        "back reference is missing or differs",
        "None needed: Windows follows the forward references.",
    ),
    Code(
        "PA135",
        _E,
        "assigned policy does not exist",
        "Assign an existing policy, or remove the stale assignment.",
        w.FILE_NOT_FOUND,
    ),
    Code("PA136", _I, "object belongs to no policy", "Delete it if it is no longer wanted."),
    Code(
        "PA137",
        _E,
        "reference names an object of another class",
        "Restore the reference to an object of the right class.",
        w.INVALID_DATA,
    ),
    Code(
        "PA138",
        _E,
        "key exchange settings are missing",
        "Restore the ipsecISAKMPPolicy object.",
        w.MM_POLICY_NOT_FOUND,
        5461,
    ),
    Code(
        "PA140",
        _E,
        "line is not a ClassBench rule",
        "Write it as @src/len dst/len lo : hi lo : hi 0xPP/0xMM.",
    ),
    Code("PA141", _E, "command is refused", "Mend the command: netsh does nothing with it."),
    Code("PA142", _W, "line of the script is not understood", "None needed if it has no part in IPsec policy; it was skipped."),
    Code(
        "PA143",
        _W,
        "part of the script depends on where it is run",
        "Check that what was read is what is meant, or give a script of those commands alone.",
    ),
    Code("PA144", _E, "value is not known", "Set the variable in the script, or write the value."),
    Code("PA145", _E, "script is too large to carry out", "Write the commands out, or read the script in parts."),
    Code(
        "PA146",
        _W,
        "line is not output of netsh ipsec show",
        "Redirect the output of English Windows into a file: netsh ipsec static show all level=verbose > FILE.",
    ),
    Code("PA150", _W, "capture is cut", "The packets before the cut were read; capture again for the rest."),
    Code(
        "PA151",
        _E,
        "capture format is not supported",
        "Convert the capture, for example: editcap -F pcap in out.",
    ),
    Code(
        "PA152",
        _E,
        "line of packets cannot be read",
        "Mend the line; the columns are src,dst,protocol,sport,dport,direction,interface.",
    ),
    Code("PA153", _I, "frames without an IP packet", "None needed: ARP and the like are not IPsec's business."),
    Code(
        "PA160",
        _W,
        "audit log ends in a torn line",
        "None needed: the writer was stopped in the middle of its last event.",
    ),
    Code("PA161", _E, "line of the audit log is damaged", "Restore the log from a copy; the line was skipped."),
    Code(
        "PA170",
        _E,
        "directory cannot be reached",
        "Check the server's name, and that its port is open from here.",
        w.DS_SERVER_DOWN,
        5474,
    ),
    Code("PA171", _E, "directory refuses the logon", "Log on as a user who may read the policies.", w.LOGON_FAILURE, 5474),
    Code(
        "PA172",
        _E,
        "connection to the directory is not safe",
        "Make the server's certificate right, or give that of its authority with --ca-file.",
        w.DS_SERVER_DOWN,
        5474,
    ),
    Code(
        "PA173",
        _E,
        "answer of the directory is not whole",
        "Ask again, or another server; a part of a policy is never used.",
        w.DS_SERVER_DOWN,
        5474,
    ),
    Code(
        "PA174",
        _W,
        "answer of the directory is left out in part",
        "None needed if the server is the right one; what it sent was not asked for.",
    ),
    Code(
        "PA175",
        _E,
        "computer or site is not in the directory",
        "Check the name, and that the server is one of the computer's domain.",
        w.FILE_NOT_FOUND,
    ),
    Code(
        "PA176",
        _E,
        "no policy is assigned to the computer",
        "Assign one in a Group Policy object that applies to the computer; pastore show --assignment tells why none does.",
        w.FILE_NOT_FOUND,
    ),
    Code(
        "PA177",
        _E,
        "directory refuses a change",
        "Write as a user who may, to a server that takes changes, and publish again.",
    ),
    Code(
        "PA178",
        _E,
        "policy does not fit into the directory",
        "Mend what the message names, and publish again.",
    ),
    Code(
        "PA179",
        _W,
        "another policy changes with it",
        "None needed if both are meant; else give the policy objects of its own.",
    ),
    Code("PA180", _E, "line is not valid LDIF", "Export the objects again with ldapsearch or ldifde."),
    Code(
        "PA190", _E, "text is not valid JSON", "Mend the text at the place given, or write the file again with pastore convert."
    ),
    Code(
        "PA191", _E, "value is not as the policy schema has it", "Mend the value; docs/policy.schema.json says what is allowed."
    ),
    Code(
        "PA192",
        _I,
        "pre-shared key is left out of the source",
        "None needed to judge packets; pastore convert --secrets keeps keys.",
    ),
    Code(
        "PA195",
        _E,
        "cached copy cannot be used",
        "None needed once the directory answers: then it is written anew.",
        w.INVALID_DATA,
        5459,
    ),
    Code(
        "PA196",
        _W,
        "agent cannot write what it should",
        "Make room on the disk, or mend the permissions; the agent goes on meanwhile.",
    ),
    Code(
        "PA197",
        _W,
        "command of the agent failed",
        "Run the command by hand as the agent's user; the policy is in force all the same.",
    ),
    # PA2xx: rules that cannot be applied
    Code(
        "PA201",
        _E,
        "rule has no filter action",
        "Give the rule a filter action.",
        w.QM_POLICY_NOT_FOUND,
        5462,
    ),
    Code(
        "PA202",
        _E,
        "rule lacks a filter list",
        "Restore the filter list or take it out of the rule.",
        w.FILE_NOT_FOUND,
        5462,
    ),
    Code(
        "PA203",
        _E,
        "mask is not contiguous",
        "Write the filter with a mask that is a prefix, or one filter for each block.",
        w.INVALID_PARAMETER,
        5477,
    ),
    Code("PA204", _E, "range runs backwards", "Put the lower end first.", w.INVALID_PARAMETER, 5477),
    Code(
        "PA205",
        _E,
        "unknown filter action type",
        "Set the filter action to permit, block or negotiate.",
        w.INVALID_PARAMETER,
        5462,
    ),
    Code(
        "PA206",
        _E,
        "ends of different IP versions",
        "Write both ends as IPv4 or both as IPv6.",
        w.INVALID_PARAMETER,
        5477,
    ),
    Code(
        "PA207",
        _E,
        "DNS name without an address",
        "Edit the filter so that the name is resolved again, or write the address.",
        w.HOST_NOT_FOUND,
        5477,
    ),
    Code(
        "PA208",
        _E,
        "server address without me at the other end",
        "Set the other end to my IP address.",
        w.INVALID_PARAMETER,
        5477,
    ),
    Code(
        "PA209",
        _E,
        "protect without a security method",
        "Add a security method to the filter action.",
        w.QM_POLICY_NOT_FOUND,
        5462,
    ),
    Code("PA210", _E, "tunnel rule without an endpoint", "Give the tunnel endpoint.", w.INVALID_PARAMETER, 5462),
    Code(
        "PA211",
        _E,
        "filter exists already",
        "Remove one of the two filters.",
        w.TRANSPORT_FILTER_EXISTS,
        5477,
    ),
    Code(
        "PA212",
        _E,
        "tunnel filter exists already",
        "Remove one of the two filters.",
        w.TUNNEL_FILTER_EXISTS,
        5477,
    ),
    Code(
        "PA213",
        _E,
        "rule has no authentication method",
        "Add an authentication method to the rule.",
        w.MM_AUTH_NOT_FOUND,
        5462,
    ),
    Code(
        "PA214",
        _E,
        "protocol number out of range",
        "Use 0 for any protocol, or 1 to 255.",
        w.INVALID_PARAMETER,
        5477,
    ),
    # PA3xx: rules that do not do what they seem to
    Code("PA301", _I, "rule is not active", "Tick the rule if it should apply."),
    Code(
        "PA302",
        _I,
        "default response rule is ignored",
        "None needed on Windows Vista and later, which never use it.",
    ),
    Code("PA303", _W, "ports are ignored", "Set the protocol to TCP or UDP, or take the ports out."),
    Code(
        "PA304",
        _W,
        "address has bits outside its mask",
        "Write the network address, or a host with mask 255.255.255.255.",
    ),
    Code("PA305", _W, "equally specific filters disagree", "Make one of the two more specific, or remove it."),
    Code("PA306", _W, "block-all has no IPv6 twin", "Add a filter that blocks IPv6 too, or disable IPv6."),
    Code(
        "PA307",
        _W,
        "filter is not understood by the target",
        "Write it as an IPv4 filter with subnets for this version of Windows.",
    ),
    Code(
        "PA308",
        _W,
        "filter has no local end",
        "Check the addresses; a transport filter applies only where one end is this computer.",
    ),
    Code("PA309", _I, "policy is not assigned", "Assign it if it should apply."),
    Code("PA310", _W, "filter list is empty", "Add filters to the list or take it out of the rule."),
    Code("PA311", _W, "tunnel filter is mirrored", "Write two one-way rules, one for each tunnel direction."),
    Code(
        "PA312",
        _W,
        "domain policy overrides the local one",
        "Change the domain policy; the local one is not in force.",
    ),
    Code(
        "PA313",
        _W,
        "filter exists already in part or as a mirror image",
        "Remove the overlap if it is not meant; the first filter decides.",
    ),
    Code(
        "PA314", _W, "filter never decides", "Remove it, or make the filters before it narrower if it is the one that is meant."
    ),
    Code("PA315", _W, "rule does nothing", "Remove it, or make the filters before it narrower if it is the one that is meant."),
    Code("PA316", _I, "filter could be left out", "Remove it; where there are several, one at a time, and check again."),
    Code("PA317", _W, "allow undoes a block", "Name the protocol and the ports in the allow, or block for its addresses too."),
    Code("PA318", _W, "opening goes one way", "Mirror the filter, or add one for the answers."),
    Code(
        "PA319", _W, "block-all leaves no way for a service", "Permit it to and from the servers that are meant, if it is needed."
    ),
    Code("PA321", _E, "object exists already", "Change the one that exists with set, or give another name."),
    Code("PA322", _E, "object does not exist", "Mend the name, or add the object before this command."),
    Code("PA323", _W, "policy has no rules", "Add rules, with the name of this policy."),
    Code(
        "PA324",
        _W,
        "two ports look like a range",
        "Write a filter for each port, with the port at the end that is meant and 0 at the other.",
    ),
    Code("PA325", _W, "word without a tag", "Put values that hold blanks in double quotes, and give each its tag."),
    Code("PA326", _E, "two commands on one line", "Begin the second command on a line of its own."),
    Code("PA327", _W, "argument has no effect", "Take it out, or change what makes it idle."),
    Code("PA328", _E, "object is in use", "Delete the rules that use it first."),
    Code("PA329", _W, "address does not mean what it seems to", "Write any or me, whichever is meant."),
    # PA4xx: limits and what could not be decided
    Code(
        "PA401",
        _I,
        "default exemptions are assumed",
        "Give --default-exempt, or a source that holds NoDefaultExempt.",
    ),
    Code(
        "PA402",
        _W,
        "server address is not known",
        "Give --dns-server, --wins-server, --dhcp-server or --gateway.",
    ),
    Code("PA403", _W, "too many overlaps to list", "Mend the ones listed and check again."),
    Code("PA404", _W, "exemption value is not known to the target", "Use 0 or 1 for Windows 2000 and XP."),
    Code(
        "PA405",
        _W,
        "Group Policy objects assign different policies",
        "Pick the policy with --policy, or in a directory give --computer: links and rights tell which is in force.",
    ),
    Code(
        "PA406",
        _W,
        "rights on a Group Policy object are not known",
        "Ask as a user who may read them, or look on the computer with gpresult.",
    ),
    Code("PA407", _W, "WMI filter was not evaluated", "Look on the computer with gpresult whether the object applies."),
    Code("PA408", _W, "site of the computer is not known", "Give --site; on the computer, nltest /dsgetsite tells it."),
    Code("PA410", _W, "format cannot hold this", "Change the policy, or write it in another format."),
    Code("PA411", _W, "dynamic rule cannot be told as a filter", "Give the rule me at one end, or the same action both ways."),
    Code("PA420", _W, "Windows Firewall cannot hold this", "Change the policy, or write that part of it by hand."),
    Code("PA421", _W, "nftables cannot hold this", "Do by hand what is said, or change the policy."),
    Code("PA422", _W, "strongSwan cannot hold this", "Change the policy, or write that part of it by hand."),
    Code("PA430", _W, "not decided", "Simplify the filters named, or check them in a policy of their own."),
    # PA5xx: security
    Code("PA501", _W, "pre-shared key", "Use Kerberos or certificates: the key is stored in clear text."),
    Code(
        "PA502",
        _W,
        "weak algorithm",
        "Use 3DES with SHA-1, the strongest these policies have, or connection security rules.",
    ),
    Code("PA503", _W, "exemptions let packets pass", "Set NoDefaultExempt to 3."),
    Code("PA504", _I, "falls back to clear text", "Take the option out where clear text must not pass."),
    Code(
        "PA505",
        _W,
        "server's certificate was not looked at",
        "Leave --insecure out, and give the certificate of the server's authority with --ca-file.",
    ),
    Code("PA506", _W, "source port 88 gets past a filter", "Set NoDefaultExempt to 3."),
    Code("PA507", _I, "accepts clear text inbound", "Take the option out where clear text must not pass."),
    Code(
        "PA508",
        _I,
        "no perfect forward secrecy",
        "Set it in the filter action, if the time that a key exchange takes is no matter.",
    ),
    Code("PA509", _W, "keys are used for too long", "Set a shorter lifetime."),
    Code("PA510", _W, "authenticated but readable", "Offer ESP with encryption instead, or together with AH."),
    Code("PA511", _W, "encryption is none or cannot be told", "Offer 3DES with SHA-1 instead."),
    Code(
        "PA512",
        _E,
        "protected range is cut off",
        "Permit the range by a filter that is more specific, or mend the one that blocks it.",
    ),
    Code(
        "PA513",
        _W,
        "single public hosts are blocked",
        "Find out whose they are and who made the rule; security agents are silenced so.",
    ),
)

CODES: Final = {code.code: code for code in _CODES}


def page(code: str) -> str:
    """Return the page of a code as Markdown text.

    Raises
    ------
    KeyError
        If there is no such code.
    """
    return resources.files(__package__).joinpath("pages", f"{CODES[code].code}.md").read_text(encoding="utf-8")
