"""Learning rates where a formula of the policy overflows, ends, or has two steps at once."""

from __future__ import annotations

import pytest

from i2cnn.torchcaffe.proto import SolverParameter
from i2cnn.torchcaffe.solvers.updates import learning_rate
from i2cnn.util.errors import InputError


def param(policy: str, **settings: object) -> SolverParameter:
    return SolverParameter(lr_policy=policy, base_lr=0.5, **settings)


def test_a_sigmoid_far_from_its_middle_is_0_as_in_c() -> None:
    assert learning_rate(param("sigmoid", gamma=1, stepsize=2000), 0, 0) == (0, 0)
    assert learning_rate(param("sigmoid", gamma=1, stepsize=1), 2000, 0) == (0.5, 0)


def test_multistep_takes_one_step_per_iteration_as_caffe_does() -> None:
    settings = param("multistep", gamma=0.5, stepvalue=[3, 3])
    step, rates = 0, []
    for iteration in range(2, 6):
        rate, step = learning_rate(settings, iteration, step)
        rates.append(rate)
    assert rates == [0.5, 0.25, 0.125, 0.125]


@pytest.mark.parametrize(
    ("settings", "iteration", "message"),
    [
        (param("poly", power=0.5, max_iter=10), 11, "'poly' has the rate nan at iteration 11"),
        (param("sigmoid", gamma=1), 0, "'sigmoid' needs a stepsize above 0"),
        (param("inv", gamma=-1), 0, "'inv' needs a gamma of at least 0, not -1"),
        (param("poly", power=1), 0, "'poly' needs a max_iter above 0"),
        (param("exp", gamma=2), 5000, "'exp' has the rate inf at iteration 5000; check gamma"),
    ],
)
def test_a_rate_that_is_no_number_is_refused(
    settings: SolverParameter, iteration: int, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        learning_rate(settings, iteration, 0)
