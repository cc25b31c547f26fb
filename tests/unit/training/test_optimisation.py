import math

import pytest
import torch
from torch import nn

from federated_pneumonia_detection.config import TrainingConfig
from federated_pneumonia_detection.training.optimisation import (
    RunningAverage,
    class_weights,
    make_optimizer,
    one_cycle,
    set_rate,
    smoothed_loss,
)


@pytest.mark.parametrize("total", [8, 100, 1752])
def test_the_cycle_is_that_of_torch(total):
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([parameter], lr=1.0)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=total, pct_start=0.25)
    for step in range(total):
        group = optimizer.param_groups[0]
        assert one_cycle(step, total, 3e-3) == pytest.approx((group["lr"], group["betas"][0]))
        optimizer.step()
        if step < total - 1:
            scheduler.step()


@pytest.mark.parametrize("total", [1, 2, 3, 4, 5])
def test_the_shortest_cycles_have_rates_too(total):
    assert all(0 < one_cycle(step, total, 1.0)[0] <= 1 for step in range(total))


def test_a_rate_and_a_beta_reach_all_groups():
    optimizer = make_optimizer(nn.Linear(2, 1), TrainingConfig())
    set_rate(optimizer, 0.5, 0.9)
    assert all(group["lr"] == 0.5 and group["betas"] == (0.9, 0.999) for group in optimizer.param_groups)


def test_biases_and_normalisation_are_not_decayed():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    decayed, others = make_optimizer(network, TrainingConfig(weight_decay=0.05)).param_groups
    assert decayed["weight_decay"] == 0.05
    assert [p.ndim for p in decayed["params"]] == [4]
    assert others["weight_decay"] == 0
    assert all(p.ndim == 1 for p in others["params"])


def test_the_rarer_class_weighs_as_much_as_the_other():
    normal, pneumonia = class_weights(torch.tensor([0, 1, 1, 1]))
    assert normal * 1 == pneumonia * 3 == 2


def test_a_class_without_images_cannot_be_balanced():
    assert class_weights(torch.ones(4)) == (1.0, 1.0)


def test_the_loss_is_the_formula():
    logits, labels = torch.tensor([0.3, -1.2]), torch.tensor([1, 0])
    p = torch.sigmoid(logits)
    targets = torch.tensor([0.975, 0.025])
    each = -(targets * p.log() + (1 - targets) * (1 - p).log())
    expected = (each * torch.tensor([3.0, 0.5])).mean()
    assert smoothed_loss(logits, labels, smoothing=0.05, weights=(0.5, 3.0)) == pytest.approx(float(expected))


def test_without_smoothing_a_chance_guess_costs_the_logarithm_of_two():
    loss = smoothed_loss(torch.zeros(4), torch.tensor([0, 1, 1, 0]), smoothing=0, weights=(1, 1))
    assert float(loss) == pytest.approx(math.log(2))


def test_the_running_average_follows_weights_and_batch_statistics():
    network = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    nn.init.zeros_(network[0].weight)
    average = RunningAverage(network)
    nn.init.ones_(network[0].weight)
    network[1].running_mean.fill_(10.0)
    network[1].num_batches_tracked.fill_(7)
    average.update(network)
    # The first decay is 1 / 10.
    assert float(average.network[0].weight.detach()) == pytest.approx(0.9)
    assert float(average.network[1].running_mean) == pytest.approx(9.0)
    assert int(average.network[1].num_batches_tracked) == 7
    assert not any(p.requires_grad for p in average.network.parameters())
