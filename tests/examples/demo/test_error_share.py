"""The demo's own gate, against real instances."""

import urllib.error
import urllib.request

import error_share

from zdd import Result, Target
from zdd.model.address import Address


def target_of(*instances):
    addresses = {f"web-{instance.port}": {"http": Address("127.0.0.1", instance.port)} for instance in instances}
    return Target("shop", "5.0", "r5", instances=addresses)


def ask(instance, times):
    for _ in range(times):
        try:
            with urllib.request.urlopen(instance.url + "/", timeout=5):
                pass
        except urllib.error.HTTPError as error:
            error.close()


def test_it_does_not_judge_by_a_few_requests(start):
    instance = start()
    instance.await_health()
    ask(instance, error_share.REQUESTS_MIN - 1)
    assert error_share.look(target_of(instance)).result is Result.INCONCLUSIVE


def test_a_good_release_passes(start):
    instance = start()
    instance.await_health()
    ask(instance, error_share.REQUESTS_MIN)
    assert error_share.look(target_of(instance)).result is Result.PASSED


def test_a_bad_release_fails_by_the_count_of_all_its_instances(start):
    good, bad = start(), start(BEHAVIOUR="bad_release")
    for instance in (good, bad):
        instance.await_health()
        ask(instance, 20)
    sample = error_share.look(target_of(good, bad))
    assert sample.result is Result.FAILED
    assert sample.reason == "5 errors in 40 requests to 5.0, 12.5%; at most 2% are allowed"
    assert sample.figures == {"requests": 40.0, "errors": 5.0}


def test_an_instance_that_does_not_answer_is_a_failed_look(start):
    instance = start()
    instance.await_health()
    target = target_of(instance)
    instance.terminate()
    instance.wait()
    assert error_share.few_errors().sample(target).result is Result.FAILED
