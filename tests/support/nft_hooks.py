"""A program for a network namespace with a loaded ruleset: sends packets to and from this host and says which were dropped."""

import socket
import subprocess
import time

DEVICE, WIRE, MAC = "eth9", "wire9", "02:00:00:00:00:07"


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def counted() -> int:
    """How many packets the chains that drop have counted."""
    lines = run("nft", "list", "table", "inet", "pastore").splitlines()
    return sum(int(line.split()[2]) for line in lines if line.strip().startswith("counter packets"))


def checksum(data: bytes) -> int:
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def frame(src: str, dst: str, port: int, mac: bytes) -> bytes:
    """A UDP packet from the wire."""
    udp = b"\x30\x39" + port.to_bytes(2, "big") + b"\0\x08" + b"\0\0"
    if ":" in src:
        ends = socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst)
        udp = udp[:6] + checksum(ends + b"\0\0\0\x08\0\0\0\x11" + udp).to_bytes(2, "big")
        return mac + b"\x02" + bytes(5) + b"\x86\xdd" + b"\x60\0\0\0\0\x08\x11\x40" + ends + udp
    head = b"\x45\0\0\x1c\0\0\0\0\x40\x11\0\0" + socket.inet_aton(src) + socket.inet_aton(dst)
    return mac + b"\x02" + bytes(5) + b"\x08\0" + head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + udp


def main() -> None:
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", DEVICE, "address", MAC, "type", "veth", "peer", "name", WIRE)
    for device in (DEVICE, WIRE):
        run("ip", "link", "set", device, "up")
    for address in ("10.9.0.7/24", "10.9.0.8/24", "2001:db8:20::7/64"):
        run("ip", "address", "add", address, "dev", DEVICE, *(("nodad",) if ":" in address else ()))
    mac = bytes.fromhex(MAC.replace(":", ""))
    run("ip", "neighbour", "add", "10.9.0.9", "lladdr", "02:00:00:00:00:00", "dev", DEVICE)
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    wire.bind((WIRE, 0))

    def receive(src: str, dst: str, port: int, what: str = "in") -> None:
        # The kernel sends packets of its own for IPv6, which the rules see too: a listener says what came through.
        family = socket.AF_INET6 if ":" in dst else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as listener:
            listener.bind((dst, port))
            listener.settimeout(0.3)
            wire.send(frame(src, dst, port, mac))
            try:
                listener.recv(100)
                said = "passed"
            except TimeoutError:
                said = "dropped"
        print(f"{what} {src} > {dst}:{port} {said}")

    def send(src: str, port: int, dst: str, what: str = "out") -> None:
        before = counted()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((src, port))
            try:
                sender.sendto(b"", (dst, 9))
                said = "passed"
            except PermissionError:
                said = "dropped"
        assert (counted() > before) == (said == "dropped") or said == "passed"
        print(f"{what} {src}:{port} > {dst} {said}")

    time.sleep(0.1)
    for port in (80, 81, 1433, 22):
        receive("10.9.0.9", "10.9.0.7", port)
    receive("10.9.0.9", "10.9.0.8", 81)
    for port in (80, 81):
        receive("2001:db8:20::9", "2001:db8:20::7", port)
    for src, port in (("10.9.0.7", 80), ("10.9.0.7", 81), ("10.9.0.7", 1433), ("10.9.0.8", 81)):
        send(src, port, "10.9.0.9")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        listener.bind(("10.9.0.7", 81))
        listener.settimeout(0.3)
        sender.bind(("10.9.0.7", 0))
        sender.sendto(b"x", ("10.9.0.7", 81))
        print(f"lo 10.9.0.7 > 10.9.0.7:81 {'passed' if listener.recv(9) else 'dropped'}")
    run("nft", "add", "element", "inet", "pastore", "ras", "{", DEVICE, "}")
    for port in (22, 81):
        receive("10.9.0.9", "10.9.0.7", port, "in, the device is dial-up")


if __name__ == "__main__":
    main()
