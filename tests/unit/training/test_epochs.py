import threading

import pytest
import torch

from federated_pneumonia_detection.training.epochs import evaluate_locally, train_locally
from federated_pneumonia_detection.training.errors import LossBecameNaN
from federated_pneumonia_detection.training.networks import build_network


def _weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def test_it_learns(tiny_config, tiny_xrays):
    network = build_network(tiny_config)
    config = tiny_config.model_copy(update={"learning_rate": 0.02})
    train_locally(network, *tiny_xrays, config, epochs=15, seed=0)
    metrics, logits = evaluate_locally(network, *tiny_xrays, config)
    assert metrics["val_auroc"] > 0.95
    assert logits.shape == (48,)


def test_each_step_and_each_epoch_is_told(tiny_config, tiny_xrays):
    steps, epochs = [], []
    done = train_locally(
        build_network(tiny_config),
        *tiny_xrays,
        tiny_config,
        epochs=2,
        seed=0,
        on_step=lambda *a: steps.append(a),
        on_epoch=lambda *a: epochs.append(a),
    )
    assert [(epoch, step, total) for epoch, step, total, _ in steps] == [(e, s, 6) for e in (1, 2) for s in range(1, 7)]
    assert set(steps[0][3]) == {"train_loss", "learning_rate"}
    assert [epoch for epoch, _ in epochs] == [1, 2]
    assert epochs[-1][1] == done.metrics
    assert {"train_loss", "train_auroc", "learning_rate"} <= set(done.metrics)
    assert (done.num_samples, done.steps) == (48, 12)


def test_the_same_seed_repeats_bit_for_bit_beside_another_training_in_another_thread(tiny_config, tiny_xrays):
    def trained():
        network = build_network(tiny_config)
        train_locally(network, *tiny_xrays, tiny_config, epochs=2, seed=3)
        return _weights(network)

    alone = trained()
    together: list[torch.Tensor] = []
    threads = [threading.Thread(target=lambda: together.append(trained())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(alone, weights) for weights in together)


def test_another_seed_sees_the_images_in_another_order(tiny_config, tiny_xrays):
    first, second = build_network(tiny_config), build_network(tiny_config)
    train_locally(first, *tiny_xrays, tiny_config, epochs=1, seed=0)
    train_locally(second, *tiny_xrays, tiny_config, epochs=1, seed=1)
    assert not torch.equal(_weights(first), _weights(second))


def test_rounds_are_parts_of_one_cycle_of_the_learning_rate(tiny_config, tiny_xrays):
    def rates(**options):
        seen = []
        network = build_network(tiny_config)
        train_locally(
            network, *tiny_xrays, tiny_config, seed=0, on_step=lambda *a: seen.append(a[3]["learning_rate"]), **options
        )
        return seen

    in_rounds = [rate for i in range(3) for rate in rates(epochs=1, span=(i / 3, (i + 1) / 3))]
    assert in_rounds == pytest.approx(rates(epochs=3))


def test_fedprox_stays_nearer_to_where_it_began(tiny_config, tiny_xrays):
    start = _weights(build_network(tiny_config))

    def distance(mu):
        network = build_network(tiny_config)
        train_locally(network, *tiny_xrays, tiny_config, epochs=5, seed=0, proximal_mu=mu)
        return float((_weights(network) - start).norm())

    assert distance(10.0) < distance(0.0)


def test_fewer_images_than_a_batch_make_one_step(tiny_config, tiny_xrays):
    images, labels = tiny_xrays
    done = train_locally(build_network(tiny_config), images[:3], labels[:3], tiny_config, epochs=1, seed=0)
    assert (done.num_samples, done.steps) == (3, 1)


def test_a_loss_that_is_no_number_stops_it_with_epoch_and_step(tiny_config, tiny_xrays):
    network = build_network(tiny_config)
    torch.nn.init.constant_(network.head.bias, float("nan"))
    with pytest.raises(LossBecameNaN, match="the training loss became NaN at epoch 1, step 1"):
        train_locally(network, *tiny_xrays, tiny_config, epochs=1, seed=0)


def test_without_images_there_is_nothing_to_measure(tiny_config, tiny_xrays):
    images, labels = tiny_xrays
    metrics, logits = evaluate_locally(build_network(tiny_config), images[:0], labels[:0], tiny_config)
    assert metrics == {}
    assert len(logits) == 0
