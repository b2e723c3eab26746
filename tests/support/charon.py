"""strongSwan's daemon in a network namespace of its own, with a swanctl.conf loaded into it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final, NamedTuple

from pastore.verify.kernel import namespace_command

_PATH: Final = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
SWANCTL: Final = shutil.which("swanctl", path=_PATH)
CHARON: Final = shutil.which("charon-systemd", path=_PATH)

_POLICIES: Final = Path(__file__).with_name("xfrm_policies.py")
_PLUGINS: Final = "random nonce aes md5 sha1 sha2 hmac gmp kernel-netlink socket-default vici x509 pubkey pem pkcs1 constraints"

# Copies of the programs are run: profiles of AppArmor, which confine them to /etc, go by their path.
_SCRIPT: Final = """\
ip link set lo up
./charon >charon.log 2>&1 &
daemon=$!
trap 'kill $daemon; wait $daemon || true' EXIT
for _ in $(seq 100); do [ -S vici ] && break; sleep 0.1; done
./swanctl --load-all --noprompt --file swanctl.conf --uri "unix://$PWD/vici" >load 2>&1 && echo 0 >status || echo $? >status
./swanctl --list-conns --uri "unix://$PWD/vici" >conns 2>/dev/null
"$1" -I "$2" >policies
"""


class Loaded(NamedTuple):
    """What came of loading a configuration; `policies` are those of the kernel then, as `xfrm_policies` tells them."""

    status: int
    said: str
    connections: str
    policies: list[dict[str, Any]]
    log: str


def load(configuration: bytes) -> Loaded:
    """Start the daemon, load a configuration, and end it."""
    assert SWANCTL
    assert CHARON
    with tempfile.TemporaryDirectory(prefix="charon") as name:  # the socket's path must be short
        folder = Path(name)
        shutil.copy(SWANCTL, folder / "swanctl")
        shutil.copy(CHARON, folder / "charon")
        (folder / "swanctl.conf").write_bytes(configuration)
        settings = f"load = {_PLUGINS}\nplugins {{ vici {{ socket = unix://{folder}/vici }} }}\n"
        settings += "filelog { stderr { default = 1 } }\n"
        (folder / "strongswan.conf").write_text(f"charon-systemd {{\n{settings}}}\n")
        done = subprocess.run(
            [*namespace_command(), "sh", "-eu", "-c", _SCRIPT, "sh", sys.executable, str(_POLICIES)],
            cwd=folder,
            env={"PATH": _PATH, "STRONGSWAN_CONF": str(folder / "strongswan.conf"), "SWANCTL_DIR": name},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        log = (folder / "charon.log").read_text()
        assert done.returncode == 0, f"{done.stderr}{log}"
        texts = [(folder / part).read_text() for part in ("load", "conns", "policies")]
        return Loaded(int((folder / "status").read_text()), texts[0], texts[1], json.loads(texts[2]), log)
