import json
import time

from tally import FAILURES_KEPT, LoadResult, Tally


def test_an_error_that_a_bad_release_answered_itself_is_counted_apart():
    tally = Tally(bad_versions={"5.0"})
    tally.answered("4.0")
    tally.failed("status 500", "from the bad release", "5.0", 500)
    assert (tally.result().requests, tally.result().failed, tally.result().bad_release_responses) == (2, 0, 1)


def test_every_other_error_is_a_failure():
    tally = Tally(bad_versions={"5.0"})
    tally.failed("status 500", "from a good release", "4.0", 500)
    tally.failed("status 500", "from nobody knows whom", "", 500)
    tally.failed("status 502", "from the edge", "", 502)
    tally.failed("status 503", "not what the bad release was made to answer", "5.0", 503)
    tally.failed("incomplete", "cut in the middle", "5.0", 200)
    result = tally.result()
    assert (result.requests, result.failed, result.bad_release_responses) == (5, 5, 0)
    assert result.failure_kinds == {"status 500": 2, "status 502": 1, "status 503": 1, "incomplete": 1}


def test_a_dropped_websocket_is_not_a_failed_request_but_is_kept():
    tally = Tally()
    tally.dropped_websocket("websocket dropped", "closed with 1006")
    result = tally.result()
    assert (result.failed, result.dropped_websockets) == (0, 1)
    assert result.failures[0].kind == "websocket dropped"


def test_only_the_first_failures_are_kept_and_all_are_counted():
    tally = Tally()
    for number in range(FAILURES_KEPT + 10):
        tally.failed("reset", str(number))
    result = tally.result()
    assert [failure.detail for failure in result.failures] == [str(number) for number in range(FAILURES_KEPT)]
    assert result.failed == result.failure_kinds["reset"] == FAILURES_KEPT + 10


def test_requests_are_counted_by_time_and_version():
    began = time.time() - 10.1
    tally = Tally(started_s=began)
    tally.answered("1.0")
    tally.answered("2.0")
    tally.failed("reset", "")
    periods = tally.result().periods
    assert [(period.version, period.requests, period.failed) for period in periods] == [
        ("", 1, 1),
        ("1.0", 1, 0),
        ("2.0", 1, 0),
    ]
    assert {period.at_s for period in periods} == {round(began + 10.0, 3)}


def test_a_second_without_requests_shows():
    tally = Tally(started_s=time.time() - 5.5)
    tally.answered("1.0")
    assert tally.result().least_per_s == 0


def test_percentiles_are_times_that_were_measured():
    tally = Tally()
    for milliseconds in range(1, 101):
        tally.answered("1.0", milliseconds / 1000)
    tally.answered("1.0")  # a slow request, which is not one of the short ones
    assert tally.result().latency_ms == {"p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}


def test_no_requests_at_all_make_a_result_too():
    result = Tally().result()
    assert (result.requests, result.latency_ms, result.least_per_s) == (0, {}, 0)


def test_a_result_survives_being_sent_as_json():
    tally = Tally()
    tally.answered("1.0", 0.004)
    tally.failed("reset", "by peer")
    tally.orders.append("a-1")
    result = tally.result()
    assert LoadResult.from_data(json.loads(json.dumps(result.to_data()))) == result
