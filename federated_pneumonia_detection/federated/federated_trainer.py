"""A federated training, from a source of images to a tested global model: here, or over a SuperLink."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from federated_pneumonia_detection.config import FederatedConfig, load_config, make_config
from federated_pneumonia_detection.data import find_source
from federated_pneumonia_detection.federated.environment import prepare, quiet
from federated_pneumonia_detection.progress.cancel import clear, request_cancel
from federated_pneumonia_detection.progress.slug import new_run_id, slug

if TYPE_CHECKING:
    from types import FrameType

    from flwr.app.user_config import UserConfig
    from flwr.clientapp import ClientApp
    from flwr.clientapp.typing import Mod
    from flwr.serverapp import ServerApp

    from federated_pneumonia_detection.federated.server_app import ServerRun
    from federated_pneumonia_detection.progress import WebSocketManager
    from federated_pneumonia_detection.training.going_on import GoingOn

__all__ = ["FederatedTrainer"]

# flwr and torch are imported inside: Flower reads its environment when it is imported, and `prepare` comes before.

_KEYBOARD = "keyboard"


class FederatedTrainer:
    """Trains one network over several simulated hospitals, tells how it goes, and tests the result once.

    Each hospital trains on images of its own and logs for itself (`client_0`, `client_1`, …); the server logs rounds,
    the global model and who failed; all of it is one run.

    Args:
        config_path: YAML with the keys of the configuration; the defaults if left out.
        checkpoint_dir: each run gets a folder of its own here, with `best.pt` and `best.json` of the global model.
        logs_dir: the folder of all logs.
        websocket_manager: a `ConnectionManager` that shows the run as it goes.
        progress_log_dir: where journals and polled documents go; `logs_dir/progress` if left out.
        config: a configuration instead of `config_path`.
        allow_download: whether PneumoniaMNIST may be fetched from its publisher when no source is named.
        reply_timeout_s: after so many seconds a hospital that has not answered counts as failed in its round. Twelve
            hours by default, for slow hospitals: whoever watches sees a silent one at once, and may cancel.
        federation_dir: for the engine `superlink`, the coordinator's directory, as `fpd federation init` made it.
        connect_timeout_s: for the engine `superlink`, how long the hospitals have to connect.

    Raises:
        ConfigError: the configuration is wrong.
    """

    def __init__(
        self,
        config_path: str | Path | None = None,
        checkpoint_dir: str | Path = "checkpoints",
        logs_dir: str | Path = "logs",
        websocket_manager: WebSocketManager | None = None,
        *,
        progress_log_dir: str | Path | None = None,
        config: FederatedConfig | None = None,
        allow_download: bool = True,
        reply_timeout_s: float = 12 * 3600.0,
        federation_dir: str | Path = "federation",
        connect_timeout_s: float = 120.0,
    ) -> None:
        self.config = cast(FederatedConfig, load_config(config_path, "federated")) if config is None else config
        self.checkpoint_dir = Path(checkpoint_dir)
        self.logs_dir = Path(logs_dir)
        self.progress_log_dir = self.logs_dir / "progress" if progress_log_dir is None else Path(progress_log_dir)
        self.websocket_manager = websocket_manager
        self.allow_download = allow_download
        self.reply_timeout_s = reply_timeout_s
        self.federation_dir = Path(federation_dir)
        self.connect_timeout_s = connect_timeout_s
        # More mods around the clients' training; how tests make a client fail.
        self._client_mods: Sequence[Mod] = ()

    def train(
        self,
        source_path: str | Path | None = None,
        experiment_name: str = "federated",
        *,
        epochs: int | None = None,
        run_id: str | None = None,
    ) -> dict[str, Any]:
        """Train, and block until the end; on a thread that runs an event loop it does not block.

        There, with a `websocket_manager`, the training becomes a process of its own and `train` returns at once with
        `{"status": "started", "run_id": …}`: the loop stays free to send what the training says.

        Args:
            source_path: an npz, folder, CSV or zip, or `phantoms`. Left out: `FPD_DATA`, the cache, the publisher,
                phantoms.
            experiment_name: what people call the run.
            epochs: another word for `local_epochs`; wins over the configuration's.
            run_id: what programs call it; made if left out.

        Returns:
            Plain JSON values: `run_id`, `status` (`completed`, `cancelled`, `started`), `best_model_path`,
            `best_model_score` (the lowest validation loss), `best_round`, `final_metrics`, `history`, `phantom`. A
            number that is none is `None`.

        Raises:
            DataError: the source cannot be used, or is too small for so many hospitals.
            FederatedError: all clients failed in a round, or the engine is not installed.
            TrainingError: the network cannot be built, or the device is not there.
            KeyboardInterrupt: on a second Ctrl-C; the first one cancels the run.
        """
        config = self.config
        if epochs is not None:
            given = {**config.model_dump(), "local_epochs": epochs}
            config = cast(FederatedConfig, make_config(given, "federated"))
        from federated_pneumonia_detection.training.launch import on_event_loop

        if self.websocket_manager is not None and on_event_loop():
            return self._start(source_path, experiment_name, config, run_id)
        prepare()
        with quiet():
            return self._train(source_path, experiment_name, config, run_id)

    def resume(self, run_id: str, *, from_round: int | None = None) -> dict[str, Any]:
        """Go on with a run that was stopped or died, as another attempt of the same run; blocks until the end.

        What the run was asked to be (source, configuration, experiment) was kept beside its checkpoints.

        Args:
            run_id: the run.
            from_round: the last round that is kept; the newest there is a checkpoint of if left out, 0 starts over.

        Returns:
            As `train`.

        Raises:
            CannotGoOn: nothing was kept of it, there is no such checkpoint, or the images are others by now.
            BadCheckpoint: the checkpoint is damaged.
            DataError: its source is not there any more.
            FederatedError: as `train`, like what else it raises.
        """
        prepare()
        from federated_pneumonia_detection.training.going_on import find_going_on

        going_on = find_going_on(
            run_id, log_dir=self.progress_log_dir, checkpoint_dir=self.checkpoint_dir, number=from_round
        )
        asked = going_on.asked
        with quiet():
            return self._train(
                asked.source, asked.experiment_name, cast(FederatedConfig, going_on.config), run_id, going_on
            )

    def _train(
        self,
        source_path: str | Path | None,
        experiment_name: str,
        config: FederatedConfig,
        run_id: str | None,
        going_on: GoingOn | None = None,
    ) -> dict[str, Any]:
        if config.engine == "superlink":
            return self._over_superlink(
                source_path, experiment_name, config, run_id or new_run_id(experiment_name), going_on
            )
        from federated_pneumonia_detection.federated.coordination import Coordination

        coordination = Coordination(
            config=config,
            experiment_name=experiment_name,
            run_id=run_id,
            log_dir=self.progress_log_dir,
            checkpoint_dir=self.checkpoint_dir if going_on is None else going_on.folder,
            websocket_manager=self.websocket_manager,
            allow_download=self.allow_download,
            reply_timeout_s=self.reply_timeout_s,
            going_on=going_on,
        )
        return coordination.run(source_path, self._carry)

    def _over_superlink(
        self,
        source_path: str | Path | None,
        experiment_name: str,
        config: FederatedConfig,
        run_id: str,
        going_on: GoingOn | None,
    ) -> dict[str, Any]:
        from federated_pneumonia_detection.federated.superlink.engine import run_superlink
        from federated_pneumonia_detection.federated.superlink.ticket import Ticket

        federation = self.federation_dir
        if going_on is not None and going_on.asked.federation:
            federation = Path(going_on.asked.federation)
        try:
            found = find_source(source_path, allow_download=self.allow_download)
            here = None if found.path is None else str(found.path.absolute())
            ticket = Ticket(
                run_id=run_id,
                experiment_name=experiment_name,
                config=config.model_dump(mode="json"),
                source="phantoms" if found.kind == "phantoms" else here,
                log_dir=str(self.progress_log_dir.absolute()),
                checkpoint_dir=str((self.checkpoint_dir if going_on is None else going_on.folder).absolute()),
                reply_timeout_s=self.reply_timeout_s,
                connect_timeout_s=self.connect_timeout_s,
                federation_dir=str(federation.absolute()),
                from_round=None if going_on is None else going_on.number,
            )
            return run_superlink(federation, ticket)
        except BaseException as error:
            self._tell_if_nobody_did(error, experiment_name, run_id)
            raise

    def _tell_if_nobody_did(self, error: BaseException, experiment_name: str, run_id: str) -> None:
        """Tell in the run why it never began, where its server app could not."""
        from federated_pneumonia_detection.federated.round_progress import make_logger
        from federated_pneumonia_detection.federated.server_app import tell_end

        if (self.progress_log_dir / f"{slug(run_id)}.jsonl").exists():
            return
        with make_logger(
            None,
            log_dir=str(self.progress_log_dir),
            experiment_name=experiment_name,
            run_id=run_id,
            websocket_manager=self.websocket_manager,
        ) as logger:
            tell_end(logger, error)

    def _carry(self, run: ServerRun, source: str) -> None:
        """Let an engine of this machine carry the run to its end; a cancelled run is an end like another."""
        from federated_pneumonia_detection.federated.client_app import build_client_app
        from federated_pneumonia_detection.federated.errors import RunCancelled
        from federated_pneumonia_detection.federated.records import Site
        from federated_pneumonia_detection.federated.server_app import build_server_app
        from federated_pneumonia_detection.training.devices import torch_threads

        config, log_dir = run.order.config, str(run.logger.log_dir)
        sites = [
            Site(
                partition=partition,
                num_partitions=config.num_clients,
                log_dir=log_dir,
                source=source,
                scheme=config.partition,
                alpha=config.alpha,
                seed=config.seed,
            ).to_node_config()
            for partition in range(config.num_clients)
        ]
        carry = _engine(config.engine)
        interrupted = False
        try:
            with run.told(), torch_threads(config.threads), _signals_cancel(log_dir, run.order.run_id):
                carry(build_server_app(run), build_client_app(mods=self._client_mods), sites)
        except RunCancelled as cancelled:
            interrupted = cancelled.by == _KEYBOARD
        finally:
            clear(log_dir, run.order.run_id)
        if interrupted:
            raise KeyboardInterrupt

    def _start(
        self, source: str | Path | None, experiment_name: str, config: FederatedConfig, run_id: str | None
    ) -> dict[str, Any]:
        from federated_pneumonia_detection.training.devices import choose_device
        from federated_pneumonia_detection.training.launch import start_training_process

        # What can be known to be wrong now is told to the caller, not to a log nobody reads.
        choose_device(config.device)
        find_source(source)
        run = run_id or new_run_id(experiment_name)
        assert self.websocket_manager is not None
        self.progress_log_dir.mkdir(parents=True, exist_ok=True)
        self.websocket_manager.follow(str(self.progress_log_dir.absolute()))
        start_training_process(
            "federated",
            config,
            source=source,
            experiment_name=experiment_name,
            run_id=run,
            log_dir=self.progress_log_dir,
            checkpoint_dir=self.checkpoint_dir,
        )
        return {"run_id": run, "status": "started", "experiment_name": experiment_name}


def _engine(name: str) -> Callable[[ServerApp, ClientApp, list[UserConfig]], None]:
    if name == "ray":
        from federated_pneumonia_detection.federated.ray_engine import run_ray

        return run_ray
    from federated_pneumonia_detection.federated.local_engine import run_local

    return run_local


@contextmanager
def _signals_cancel(log_dir: str, run_id: str) -> Iterator[None]:
    """Within it the first Ctrl-C or SIGTERM asks the run to stop, as anybody else would; a second one interrupts.

    An exception in the middle of Flower would leave its threads waiting for replies that nobody sends.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        keyboard = number == signal.SIGINT
        reason = "interrupted from the keyboard" if keyboard else "the process was asked to end (SIGTERM)"
        try:
            request_cancel(log_dir, run_id, reason=reason, by=_KEYBOARD if keyboard else "signal")
        except OSError:
            # Nobody can leave a request there: end the hard way.
            raise KeyboardInterrupt from None

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # one that was not installed from Python cannot be put back
                signal.signal(number, handler)
