from __future__ import annotations

import pytest

from infrastructure.rpc.rate_class import RateClass
from server.edge.rate_limit import RateLimit
from server.edge.settings import EdgeSettings
from server.edge.written_settings import (
    read_endpoint,
    read_origins,
    read_rate_limits,
    read_trusted_hops,
)


def test_rate_limits_are_read_by_class() -> None:
    """An operator could not raise one limit and leave the others."""
    found = read_rate_limits(" tracking=2000/4000 , probe=5/10 ")

    assert found == {
        RateClass.TRACKING: RateLimit(per_second=2000, burst=4000),
        RateClass.PROBE: RateLimit(per_second=5, burst=10),
    }
    assert read_rate_limits("") == {}


@pytest.mark.parametrize(
    "text",
    [
        "tracking",
        "tracking=5",
        "tracking=0/5",
        "tracking=5/0",
        "trackin=1/1",
        "tracking=-1/1",
        "TRACKING=1/1",
        "tracking=1/1;probe=1/1",
        "tracking=1/1,tracking=2/2",
        "probe=99999999/1",
    ],
)
def test_a_rate_limit_that_is_none_is_refused(text: str) -> None:
    """The operator would believe that the limit holds."""
    with pytest.raises(ValueError, match=r"tracking|probe"):
        read_rate_limits(text)


@pytest.mark.parametrize("text", ["-1", "11", "1.0", "one", "²"])
def test_a_number_of_proxies_that_is_none_is_refused(text: str) -> None:
    """Every caller would have the address that it names itself."""
    with pytest.raises(ValueError, match="from 0 to 10"):
        read_trusted_hops(text)


def test_the_number_of_proxies_is_read() -> None:
    """Every caller would have the proxy's address."""
    assert [read_trusted_hops(text) for text in ("", "0", "2", "10")] == [0, 0, 2, 10]


@pytest.mark.parametrize(
    "origin",
    ["*", "https://*", "https://*.dash.example", "dash.example", "https://dash.example/", "null"],
)
def test_an_origin_that_matches_no_page_is_refused(origin: str) -> None:
    """The dashboard would be locked out, and its operator not know why."""
    with pytest.raises(ValueError, match="wildcard"):
        read_origins(f"https://fine.example,{origin}")
    with pytest.raises(ValueError, match="wildcard"):
        EdgeSettings(dashboard_origins=(origin,))


def test_where_servers_listen_is_read() -> None:
    """Envoy on another host could not be told of any."""
    assert read_endpoint("10.0.0.7:50051") == ("10.0.0.7", 50051)
    assert read_endpoint("[::1]:80") == ("::1", 80)
    assert read_endpoint("serve-1.internal:50051") == ("serve-1.internal", 50051)
    assert read_endpoint("localhost:50051") == ("localhost", 50051)


@pytest.mark.parametrize(
    "text",
    [
        *("host", ":1", "host:", "host:x", "host:0", "host:65536", "::1:80", "host:²"),
        *("http://host:80", "two words:80", "10.0.0.300:80", "[host]:80", "[fe80::1%eth0]:80"),
    ],
)
def test_a_place_that_is_none_is_refused(text: str) -> None:
    """Envoy would not start, with words about a line of its configuration."""
    with pytest.raises(ValueError, match=r"must be like 10\.0\.0\.7:50051"):
        read_endpoint(text)
