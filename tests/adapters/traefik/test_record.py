"""The one file of a service."""

from hypothesis import given
from hypothesis import strategies as st

from zdd.adapters.traefik.record import Record, RoomReference, read_record, write_record
from zdd.model.address import Address
from zdd.model.service import Exposure
from zdd.model.traffic import Registration

_ADDRESSES = {"http": Address("127.0.0.1", 8001), "admin": Address("::1", 8002)}
_EXPOSURES = (Exposure(), Exposure("admin", "/admin", "www.example.org"))


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 10**9), st.booleans())
def test_what_was_written_is_read_whatever_the_version_is_called(tmp_path_factory, version, weight, held) -> None:
    registrations = (Registration("web-1", "web", version, version, _ADDRESSES, weight),)
    record = Record("web", _EXPOSURES, registrations, held, RoomReference("web_x", _ADDRESSES) if held else None)
    path = tmp_path_factory.getbasetemp() / "web.yaml"

    write_record(path, record)

    assert read_record(path) == record
    assert sum(line.startswith("#") for line in path.read_text().split("\n")) == 1


def test_a_file_that_is_not_there_is_no_record(tmp_path) -> None:
    assert read_record(tmp_path / "web.yaml") is None
