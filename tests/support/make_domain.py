"""Makes a new Active Directory domain, with Debian's Python and its Samba: ``python3 make_domain.py FOLDER PASSWORD``."""

import logging
import sys

from samba.auth import system_session
from samba.dsdb import DS_DOMAIN_FUNCTION_2008_R2
from samba.param import LoadParm
from samba.provision import provision

if __name__ == "__main__":
    settings = LoadParm()
    provision(
        logging.getLogger(),
        system_session(settings),
        lp=settings,
        targetdir=sys.argv[1],
        adminpass=sys.argv[2],
        realm="AD.TEST",
        domain="AD",
        hostname="dc1",
        hostip="127.0.0.1",
        serverrole="active directory domain controller",
        dom_for_fun_level=DS_DOMAIN_FUNCTION_2008_R2,
        dns_backend="NONE",
        batch_mode=True,  # one transaction, without waiting for the disk
    )
