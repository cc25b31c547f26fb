"""The one client app: what a hospital does with a message, whichever engine carried it here."""

from __future__ import annotations

import logging
import math
import zlib
from collections.abc import Sequence

import torch
from flwr.app import Context, Error, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import ClientAppCallable, Mod

from federated_pneumonia_detection.config import ConfigError
from federated_pneumonia_detection.data import DataError
from federated_pneumonia_detection.federated.batches import current_progress
from federated_pneumonia_detection.federated.client_watch import progress_mod
from federated_pneumonia_detection.federated.errors import FederatedError
from federated_pneumonia_detection.federated.hospitals import LocalImages, class_counts, local_images
from federated_pneumonia_detection.federated.names import answer_who
from federated_pneumonia_detection.federated.privacy import clip_as_ordered
from federated_pneumonia_detection.federated.records import Order, Site
from federated_pneumonia_detection.federated.roster import told_error
from federated_pneumonia_detection.federated.weights import load_weights, weights_of
from federated_pneumonia_detection.training.devices import choose_device
from federated_pneumonia_detection.training.epochs import LocalTraining, evaluate_locally, train_locally
from federated_pneumonia_detection.training.errors import TrainingError
from federated_pneumonia_detection.training.metrics import METRIC_NAMES
from federated_pneumonia_detection.training.networks import build_network

__all__ = ["build_client_app"]

_log = logging.getLogger(__name__)

_APP_RAISED = 2  # Flower's code for a ClientApp that raised


def build_client_app(*, mods: Sequence[Mod] = ()) -> ClientApp:
    """Make the client app.

    Args:
        mods: more mods around training, inside those that tell the progress and put failures in words.
    """
    app = ClientApp(mods=[progress_mod(), _failures_in_words])

    @app.query()
    def who(message: Message, context: Context) -> Message:
        return answer_who(message, context)

    @app.train(mods=[clip_as_ordered, *mods])
    def train(message: Message, context: Context) -> Message:
        order = Order.from_record(message.content.config_records["config"])
        return Message(_train(order, Site.of(context), message.content), reply_to=message)

    return app


def _failures_in_words(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Answer an exception in one clear line. Engines would each make their own of it, with colours and stack frames."""
    try:
        return call_next(message, context)
    except DataError as error:
        # Where it was found may hold what names a patient, and stays here.
        return _failure(error.public, message)
    except (ConfigError, FederatedError, TrainingError) as error:
        return _failure(str(error), message)
    # Networks are anybody's code: whatever they raise is this client's failure, not the run's.
    except Exception as error:  # noqa: BLE001
        _log.warning("%s failed", Site.of(context).client_id, exc_info=True)
        return _failure(told_error(error), message)


def _failure(reason: str, message: Message) -> Message:
    return Message(Error(_APP_RAISED, reason), reply_to=message)


def _train(order: Order, site: Site, received: RecordDict) -> RecordDict:
    config = order.config
    images = local_images(
        site.source,
        image_size=config.image_size,
        seed=site.seed,
        drop_duplicates=config.drop_duplicates,
        number=site.partition,
        of=site.num_partitions,
        scheme=site.scheme,
        alpha=site.alpha,
    )
    device = choose_device(config.device)
    network = build_network(config)
    load_weights(network, received.array_records["arrays"])
    seed = _seed(config.seed, site.partition, order.round_num)
    # For networks that draw by themselves (dropout): torch has one generator, and this client's turn with it is now.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        trained = _epochs(order, site, network, images, seed, device)
    evaluated, _ = evaluate_locally(network, images.val_images, images.val_labels, config, device=device)
    return RecordDict({"arrays": weights_of(network), "metrics": _metrics(trained, evaluated, images)})


def _epochs(
    order: Order, site: Site, network: torch.nn.Module, images: LocalImages, seed: int, device: torch.device
) -> LocalTraining:
    config, progress = order.config, current_progress()
    # Over how many images a figure is: what leaves a hospital may be bound to that.
    images_seen = len(images.train_labels)

    def on_step(epoch: int, step: int, steps: int, metrics: dict[str, float]) -> None:
        if progress is not None:
            progress.step(epoch, step, steps, {**metrics, "num_samples": min(config.batch_size, images_seen)})

    def on_epoch(epoch: int, metrics: dict[str, float]) -> None:
        if progress is not None:
            known = {key: value for key, value in metrics.items() if not math.isnan(value)}
            progress.local_epoch(epoch, {**known, "num_samples": images_seen})

    return train_locally(
        network,
        images.train_images,
        images.train_labels,
        config,
        epochs=config.local_epochs,
        seed=seed,
        span=((order.round_num - 1) / config.num_rounds, order.round_num / config.num_rounds),
        proximal_mu=order.proximal_mu,
        device=device,
        on_step=on_step,
        on_epoch=on_epoch,
    )


def _metrics(trained: LocalTraining, evaluated: dict[str, float], images: LocalImages) -> MetricRecord:
    """The same keys at every client, as strategies demand: NaN where a value cannot be had."""
    train, val = class_counts(images.train_labels), class_counts(images.val_labels)
    values = {f"val_{name}": evaluated.get(f"val_{name}", math.nan) for name in METRIC_NAMES}
    return MetricRecord(
        {
            "num-examples": trained.num_samples,
            "num-normal": train["normal"],
            "num-pneumonia": train["pneumonia"],
            **trained.metrics,
            "val-examples": val["n"],
            "val-num-normal": val["normal"],
            "val-num-pneumonia": val["pneumonia"],
            **values,
        }
    )


def _seed(seed: int, partition: int, round_num: int) -> int:
    return zlib.crc32(f"{seed}/{partition}/{round_num}".encode())
