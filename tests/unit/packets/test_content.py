"""Where packets come from: files, pipes, gzip; and telling the formats apart."""

import gzip
import io
import os
import random
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from pastore.packets import Damage, PacketBatch, content, read_packets
from tests.support import captures as c
from tests.support.packets import texts

TEXT = "tcp 10.1.2.3:49152 > 10.9.0.7:445 in"
CAPTURE = c.pcap([c.ethernet(c.ipv4("10.1.2.3", "10.9.0.7", 6, c.tcp(49152, 445)))] * 3)
CSV = b"src,dst,protocol,sport,dport\n" + b"10.1.2.3,10.9.0.7,tcp,49152,445\n" * 3
TRACE = b"167838211\t168361991\t49152\t445\t6\t0\t17\n" * 3
FORMATS = pytest.mark.parametrize("data", [CAPTURE, CSV, TRACE], ids=["pcap", "csv", "trace"])


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[bytes], Path]:
    def save(data: bytes) -> Path:
        path = tmp_path / "packets"
        path.write_bytes(data)
        return path

    return save


@FORMATS
@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda data: gzip.compress(data[:40]) + gzip.compress(data[40:])])
def test_the_format_is_told_by_the_first_bytes(
    data: bytes, pack: Callable[[bytes], bytes], saved: Callable[[bytes], Path]
) -> None:
    path = saved(pack(data))
    batch = read_packets(path)
    assert texts(batch) == [TEXT] * 3
    assert (batch.damage, batch.source) == ((), str(path))


@FORMATS
def test_standard_input_is_read(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(data))))
    batch = read_packets("-")
    assert (texts(batch), batch.source, batch.damage) == ([TEXT] * 3, "(standard input)", ())


@FORMATS
def test_a_pipe_is_read(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(data,))
    writer.start()
    batch = read_packets(path, "live")
    writer.join()
    assert (texts(batch), batch.source) == ([TEXT] * 3, "live")


def test_each_reader_takes_a_path_or_bytes(saved: Callable[[bytes], Path]) -> None:
    for read, data in ((PacketBatch.from_pcap, CAPTURE), (PacketBatch.from_csv, CSV), (PacketBatch.from_trace, TRACE)):
        for source in (data, bytearray(data), memoryview(data), gzip.compress(data), saved(data), str(saved(data))):
            assert texts(read(source)) == [TEXT] * 3


def test_a_file_that_is_not_there_is_damage_of_read_packets(tmp_path: Path) -> None:
    batch = read_packets(tmp_path / "missing", "missing")
    assert batch.damage == (Damage("PA101", "missing cannot be read: No such file or directory", None, True),)
    assert read_packets(tmp_path).damage[0].message.endswith("cannot be read: Is a directory")


def test_a_file_that_is_not_there_is_an_exception_of_the_readers(tmp_path: Path) -> None:
    for read in (PacketBatch.from_pcap, PacketBatch.from_csv, PacketBatch.from_trace):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "missing")


@pytest.mark.parametrize(
    ("data", "code", "reason"),
    [
        (b"", "PA102", "the content is empty"),
        (gzip.compress(b"", mtime=0), "PA102", "the content is empty"),
        (b"\n\n", "PA102", "the first line '' is neither"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "PA102", "the content is a PNG image, not packets"),
        (b"10.1.2.3,10.9.0.7,tcp\n", "PA102", "the first line '10.1.2.3,10.9.0.7,tcp' is neither a CSV header nor"),
        (b"1\t2\t3\t4\n", "PA102", "the first line '1 2 3 4' is neither"),
        (bytes.fromhex("28b52ffd"), "PA102", "the content is compressed with zstd: unpack it first"),
        (bytes.fromhex("0a0d0d0a"), "PA151", "the capture is pcapng: convert it with editcap -F pcap"),
    ],
)
def test_unknown_content_is_damage_that_says_what_it_is(
    data: bytes, code: str, reason: str, saved: Callable[[bytes], Path]
) -> None:
    batch = read_packets(saved(data))
    (damage,) = batch.damage
    assert (len(batch), damage.code, damage.fatal) == (0, code, True)
    assert damage.message.startswith(reason)


def test_a_csv_that_is_recognised_but_lacks_a_column_says_which(saved: Callable[[bytes], Path]) -> None:
    (damage,) = read_packets(saved(b"src,dst\n10.1.2.3,10.9.0.7\n")).damage
    assert (damage.code, damage.line, damage.fatal) == ("PA152", 1, True)


@FORMATS
def test_cut_gzip_gives_what_came_before_and_no_half_line(data: bytes, saved: Callable[[bytes], Path]) -> None:
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress(data[:-6]) + packer.flush(zlib.Z_FULL_FLUSH)
    batch = read_packets(saved(packed))
    assert texts(batch) == [TEXT] * 2
    assert batch.damage[0] == Damage("PA150", f"the gzip data ends too early after {len(data) - 6} unpacked bytes")


def test_damaged_gzip_gives_what_came_before(saved: Callable[[bytes], Path]) -> None:
    rng = random.Random(3)
    rows = "".join(f"10.1.2.3,10.9.0.7,tcp,{rng.randrange(65536)},{rng.randrange(65536)}\n" for _ in range(40_000))
    whole = PacketBatch.from_csv(b"src,dst,protocol,sport,dport\n" + rows.encode())
    packed = bytearray(gzip.compress(b"src,dst,protocol,sport,dport\n" + rows.encode(), 1))
    middle = len(packed) // 2
    packed[middle : middle + 64] = b"\xff" * 64
    batch = read_packets(saved(bytes(packed)))
    assert 0 < len(batch) < len(whole)
    assert batch.damage[0].code == "PA150"
    assert batch.damage[0].message.startswith("the gzip data is damaged (")
    # A changed stream may unpack to changed bytes for a while: at least what came well before it is as it was.
    assert batch.sport[: len(whole) // 5].tolist() == whole.sport[: len(whole) // 5].tolist()


def test_what_unpacks_endlessly_is_read_up_to_the_limit(monkeypatch: pytest.MonkeyPatch, saved: Callable[[bytes], Path]) -> None:
    monkeypatch.setattr(content, "LIMIT", 1000)
    row = b"10.1.2.3,10.9.0.7,tcp,49152,445\n"
    batch = read_packets(saved(gzip.compress(b"src,dst,protocol,sport,dport\n" + row * 100_000)))
    assert len(batch) == (1000 - 29) // len(row)
    (damage,) = batch.damage
    assert damage.code == "PA150"
    assert damage.message.startswith("the unpacked content is longer than 1000 bytes, of which the rest was not read")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"src,dst,protocol,sport,dport\n" + row * 100)))
    (damage,) = read_packets("-").damage
    assert damage.message.startswith("standard input is longer than 1000 bytes")


def test_a_file_is_not_held_open(saved: Callable[[bytes], Path]) -> None:
    path = saved(CAPTURE)
    batch = read_packets(path)
    path.write_bytes(b"")  # a mapping that was still open would now take the process down on the next access
    assert texts(batch) == [TEXT] * 3
    assert not any(str(path) in os.readlink(f"/proc/self/fd/{fd}") for fd in _open_files())
    assert str(path) not in Path("/proc/self/maps").read_text()


def _open_files() -> list[str]:
    return [fd for fd in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{fd}")]
