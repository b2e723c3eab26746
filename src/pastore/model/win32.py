"""The Win32 error codes that policy processing reports, with their symbolic names and messages.

Source: Microsoft's system error code lists (Win32 API, "System Error Codes"); the 13000 block is the IPsec one.
"""

from typing import NamedTuple


class Win32Error(NamedTuple):
    """A system error code."""

    code: int
    name: str
    message: str


FILE_NOT_FOUND = 2
NOT_ENOUGH_MEMORY = 8
INVALID_DATA = 13
INVALID_PARAMETER = 87
LOGON_FAILURE = 1326
NO_SUCH_DOMAIN = 1355
DS_SERVER_DOWN = 8250
HOST_NOT_FOUND = 11001
QM_POLICY_EXISTS = 13000
QM_POLICY_NOT_FOUND = 13001
MM_POLICY_NOT_FOUND = 13004
TRANSPORT_FILTER_EXISTS = 13008
MM_AUTH_NOT_FOUND = 13011
DEFAULT_MM_POLICY_NOT_FOUND = 13013
TUNNEL_FILTER_EXISTS = 13016
QM_POLICY_PRUNED = 13025

_ERRORS = (
    Win32Error(0, "ERROR_SUCCESS", "The operation completed successfully."),
    Win32Error(2, "ERROR_FILE_NOT_FOUND", "The system cannot find the file specified."),
    Win32Error(8, "ERROR_NOT_ENOUGH_MEMORY", "Not enough memory resources are available to process this command."),
    Win32Error(13, "ERROR_INVALID_DATA", "The data is invalid."),
    Win32Error(87, "ERROR_INVALID_PARAMETER", "The parameter is incorrect."),
    Win32Error(1326, "ERROR_LOGON_FAILURE", "The user name or password is incorrect."),
    Win32Error(1355, "ERROR_NO_SUCH_DOMAIN", "The specified domain either does not exist or could not be contacted."),
    Win32Error(8250, "ERROR_DS_SERVER_DOWN", "The server is not operational."),
    Win32Error(11001, "WSAHOST_NOT_FOUND", "No such host is known."),
    Win32Error(13000, "ERROR_IPSEC_QM_POLICY_EXISTS", "The specified quick mode policy already exists."),
    Win32Error(13001, "ERROR_IPSEC_QM_POLICY_NOT_FOUND", "The specified quick mode policy was not found."),
    Win32Error(13002, "ERROR_IPSEC_QM_POLICY_IN_USE", "The specified quick mode policy is being used."),
    Win32Error(13003, "ERROR_IPSEC_MM_POLICY_EXISTS", "The specified main mode policy already exists."),
    Win32Error(13004, "ERROR_IPSEC_MM_POLICY_NOT_FOUND", "The specified main mode policy was not found."),
    Win32Error(13005, "ERROR_IPSEC_MM_POLICY_IN_USE", "The specified main mode policy is being used."),
    Win32Error(13006, "ERROR_IPSEC_MM_FILTER_EXISTS", "The specified main mode filter already exists."),
    Win32Error(13007, "ERROR_IPSEC_MM_FILTER_NOT_FOUND", "The specified main mode filter was not found."),
    Win32Error(13008, "ERROR_IPSEC_TRANSPORT_FILTER_EXISTS", "The specified transport mode filter already exists."),
    Win32Error(13009, "ERROR_IPSEC_TRANSPORT_FILTER_NOT_FOUND", "The specified transport mode filter does not exist."),
    Win32Error(13010, "ERROR_IPSEC_MM_AUTH_EXISTS", "The specified main mode authentication list exists."),
    Win32Error(13011, "ERROR_IPSEC_MM_AUTH_NOT_FOUND", "The specified main mode authentication list was not found."),
    Win32Error(13012, "ERROR_IPSEC_MM_AUTH_IN_USE", "The specified main mode authentication list is being used."),
    Win32Error(
        13013,
        "ERROR_IPSEC_DEFAULT_MM_POLICY_NOT_FOUND",
        "The specified default main mode policy was not found.",
    ),
    Win32Error(
        13014,
        "ERROR_IPSEC_DEFAULT_MM_AUTH_NOT_FOUND",
        "The specified default main mode authentication list was not found.",
    ),
    Win32Error(
        13015,
        "ERROR_IPSEC_DEFAULT_QM_POLICY_NOT_FOUND",
        "The specified default quick mode policy was not found.",
    ),
    Win32Error(13016, "ERROR_IPSEC_TUNNEL_FILTER_EXISTS", "The specified tunnel mode filter exists."),
    Win32Error(13017, "ERROR_IPSEC_TUNNEL_FILTER_NOT_FOUND", "The specified tunnel mode filter was not found."),
    Win32Error(
        13024,
        "WARNING_IPSEC_MM_POLICY_PRUNED",
        "The Main Mode policy was successfully added, but some of the requested offers are not supported.",
    ),
    Win32Error(
        13025,
        "WARNING_IPSEC_QM_POLICY_PRUNED",
        "The Quick Mode policy was successfully added, but some of the requested offers are not supported.",
    ),
)
ERRORS = {error.code: error for error in _ERRORS}


def describe(code: int) -> Win32Error:
    """Return name and message of a code; a code not listed here is described as such rather than refused."""
    return ERRORS.get(code) or Win32Error(code, f"ERROR_{code}", f"System error {code} (see: net helpmsg {code}).")
