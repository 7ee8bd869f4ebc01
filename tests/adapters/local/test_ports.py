"""Ports are given to one program only, for as long as anybody holds them."""

from __future__ import annotations

import os
import socket

import pytest

from zdd.adapters.local import ports
from zdd.adapters.local.ports import reserve_ports
from zdd.errors import ConfigurationError, TemporaryError


def test_each_name_gets_a_port_of_its_own_below_the_range_of_outgoing_connections(tmp_path):
    reservation = reserve_ports(["http", "admin"], {}, tmp_path / "cursor")
    try:
        assert list(reservation.ports) == ["http", "admin"]
        assert len(set(reservation.ports.values())) == 2
        assert all(ports.FIRST <= port <= ports.LAST for port in reservation.ports.values())
    finally:
        reservation.close()


def test_a_port_that_was_given_back_is_used_again_last(tmp_path):
    seen = []
    for _ in range(50):
        reservation = reserve_ports(["http"], {}, tmp_path / "cursor")
        seen.append(reservation.ports["http"])
        reservation.close()
    assert len(set(seen)) == 50


def test_after_the_last_port_comes_the_first(tmp_path):
    (tmp_path / "cursor").write_text(str(ports.LAST))
    reservation = reserve_ports(["http"], {}, tmp_path / "cursor")
    assert ports.FIRST <= reservation.ports["http"] < ports.LAST
    reservation.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::"])
def test_a_port_on_which_somebody_listens_is_passed_over(tmp_path, host):
    probe = reserve_ports(["http"], {}, tmp_path / "cursor")
    port = probe.ports["http"]
    probe.close()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family):
        (tmp_path / "cursor").write_text(f"{port - 1:05d}")
        reservation = reserve_ports(["http"], {}, tmp_path / "cursor")
        assert reservation.ports["http"] != port
        reservation.close()


def test_a_reservation_holds_for_everybody_even_though_nobody_listens(tmp_path):
    one = reserve_ports(["http"], {}, tmp_path / "cursor")
    (tmp_path / "another-cursor").write_text(f"{one.ports['http'] - 1:05d}")
    other = reserve_ports(["http"], {}, tmp_path / "another-cursor")
    try:
        assert other.ports["http"] != one.ports["http"]
        with pytest.raises(ConfigurationError, match="belongs to another supervised program"):
            reserve_ports([], {"web": one.ports["http"]}, tmp_path / "cursor")
    finally:
        one.close()
        other.close()
    reserve_ports([], {"web": one.ports["http"]}, tmp_path / "cursor").close()


def test_a_reservation_holds_until_the_last_process_that_has_it_lets_go(tmp_path):
    one = reserve_ports(["http"], {}, tmp_path / "cursor")
    inherited = [os.dup(descriptor) for descriptor in one.descriptors()]
    one.close()
    with pytest.raises(ConfigurationError, match="belongs to another"):
        reserve_ports([], {"web": one.ports["http"]}, tmp_path / "cursor")
    for descriptor in inherited:
        os.close(descriptor)
    reserve_ports([], {"web": one.ports["http"]}, tmp_path / "cursor").close()


def test_when_no_port_is_free_it_says_so_and_keeps_none(tmp_path, monkeypatch):
    probe = reserve_ports(["http"], {}, tmp_path / "cursor")
    port = probe.ports["http"]
    probe.close()
    monkeypatch.setattr(ports, "FIRST", port)
    monkeypatch.setattr(ports, "LAST", port)
    with pytest.raises(TemporaryError, match=f"none of the ports from {port} to {port} is free"):
        reserve_ports(["http", "admin"], {}, tmp_path / "cursor")
    reserve_ports(["http"], {}, tmp_path / "cursor").close()
