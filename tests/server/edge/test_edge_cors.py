from __future__ import annotations

import httpx
import pytest

from tests.server.edge.running import CLIENT_ID_ALIAS, DASHBOARD_ORIGIN, Edge

SHOP_ORIGIN = "https://any.shop.example"
ALLOWED_ORIGIN = "access-control-allow-origin"


async def preflight(edge: Edge, path: str, origin: str) -> httpx.Response:
    asks = {"access-control-request-method": "POST", "origin": origin}
    return await edge.public.options(path, headers=asks)


def words(response: httpx.Response, header: str) -> set[str]:
    return {word.strip() for word in response.headers[header].split(",")}


@pytest.mark.parametrize(
    "path",
    [
        "/user/track/arrival",
        "/user/what/comes/later",
        "/common/rate",
        "/interactions/listenForPurchase",
        "/guerdon.orchestration.v1.ArrivalService/TrackArrival",
    ],
)
async def test_shop_pages_of_every_origin_may_call(edge: Edge, path: str) -> None:
    """Otherwise no shop's page could report anything."""
    response = await preflight(edge, path, SHOP_ORIGIN)

    assert response.status_code == 200
    assert response.headers[ALLOWED_ORIGIN] == SHOP_ORIGIN
    assert "POST" in words(response, "access-control-allow-methods")
    headers = words(response, "access-control-allow-headers")
    assert headers >= {"content-type", "x-client-id", CLIENT_ID_ALIAS}
    assert "x-business-auth" not in headers
    assert "access-control-allow-credentials" not in response.headers
    assert edge.backend.seen == []


@pytest.mark.parametrize(
    "path",
    ["/business/merchant/m-1", "/guerdon.business.v1.BusinessService/GetMerchant"],
)
async def test_dashboards_are_called_from_their_origins_only(edge: Edge, path: str) -> None:
    """A page of somebody else must not act with what a merchant's browser knows."""
    ours = await preflight(edge, path, DASHBOARD_ORIGIN)
    assert ours.status_code == 200
    assert ours.headers[ALLOWED_ORIGIN] == DASHBOARD_ORIGIN
    assert words(ours, "access-control-allow-headers") >= {
        "content-type",
        "x-client-id",
        CLIENT_ID_ALIAS,
        "x-business-auth",
    }
    assert "access-control-allow-credentials" not in ours.headers

    for origin in (SHOP_ORIGIN, DASHBOARD_ORIGIN + ".evil.example", "null"):
        theirs = await preflight(edge, path, origin)
        assert ALLOWED_ORIGIN not in theirs.headers


@pytest.mark.parametrize("path", ["/health", "/ext/merchant/m-1/webhook/custom", "/users"])
async def test_what_no_page_calls_is_open_to_no_page(edge: Edge, path: str) -> None:
    """Shops and probes are not browsers."""
    response = await preflight(edge, path, SHOP_ORIGIN)

    assert ALLOWED_ORIGIN not in response.headers


async def test_answers_can_be_read_by_the_page(edge: Edge) -> None:
    """The answer comes after the call was turned into gRPC and matched again."""
    for origin, path, allowed in (
        (SHOP_ORIGIN, "/user/track/arrival", True),
        (SHOP_ORIGIN, "/interactions/listenForPurchase", True),
        (DASHBOARD_ORIGIN, "/business/merchant/m-1/campaigns", True),
        (SHOP_ORIGIN, "/business/merchant/m-1/campaigns", False),
    ):
        response = await edge.public.post(path, json={}, headers={"origin": origin})

        assert response.status_code == 200, path
        assert response.headers.get(ALLOWED_ORIGIN) == (origin if allowed else None)
        # One origin's answer must not be given to another by a cache.
        assert response.headers["vary"] == "origin"
        if allowed:
            assert words(response, "access-control-expose-headers") >= {
                "x-request-id",
                "retry-after",
                "grpc-status",
                "grpc-message",
            }


@pytest.mark.parametrize("path", ["/user/nope", "/common/nope"])
async def test_not_found_can_be_read_by_the_page(edge: Edge, path: str) -> None:
    """Otherwise a mistyped path looks like a network fault to the page's author."""
    response = await edge.public.get(path, headers={"origin": SHOP_ORIGIN})

    assert response.status_code == 404
    assert response.headers[ALLOWED_ORIGIN] == SHOP_ORIGIN


async def test_a_refused_path_can_be_read_by_the_dashboard(edge: Edge) -> None:
    """The policy of the JSON path covers what the transcoder refuses."""
    response = await edge.public.get(
        "/business/merchant/m-1/nothing?zap=1", headers={"origin": DASHBOARD_ORIGIN}
    )

    assert response.status_code == 404
    assert response.headers[ALLOWED_ORIGIN] == DASHBOARD_ORIGIN


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/user%2Ftrack/arrival", {}, 400),
        ("/user/track%5Carrival", {}, 400),
        ("/user/track/arrival", {"x-much": "a" * 17_000}, 431),
    ],
)
async def test_a_refusal_before_all_filters_can_be_read_by_the_page(
    edge: Edge, path: str, headers: dict[str, str], status: int
) -> None:
    """Otherwise the page's author sees a network fault where the refusal says what is wrong."""
    response = await edge.public.post(path, headers={"origin": SHOP_ORIGIN, **headers})
    on_the_mesh = await edge.mesh.post(path, headers={"origin": SHOP_ORIGIN, **headers})

    assert (response.status_code, on_the_mesh.status_code) == (status, status)
    assert response.headers[ALLOWED_ORIGIN] == "*"
    assert ALLOWED_ORIGIN not in on_the_mesh.headers


async def test_such_a_refusal_is_read_by_dashboards_alone_where_they_call(edge: Edge) -> None:
    """A page of somebody else would learn what a dashboard asked for."""
    path = "/business/merchant/a%2Fb"

    ours = await edge.public.get(path, headers={"origin": DASHBOARD_ORIGIN})
    theirs = await edge.public.get(path, headers={"origin": SHOP_ORIGIN})

    assert ours.headers[ALLOWED_ORIGIN] == DASHBOARD_ORIGIN
    assert ALLOWED_ORIGIN not in theirs.headers
