"""The server app as the SuperLink starts it: reads its ticket, and does a run like any other engine's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from federated_pneumonia_detection.federated.environment import quiet
from federated_pneumonia_detection.federated.errors import FederatedError, RunCancelled, SuperLinkLost
from federated_pneumonia_detection.federated.superlink.leaving import leave_within
from federated_pneumonia_detection.federated.superlink.signals import Signalled, heard
from federated_pneumonia_detection.federated.superlink.ticket import Desk, Result, Ticket
from federated_pneumonia_detection.federated.superlink.watchful_grid import WatchfulGrid
from federated_pneumonia_detection.progress.cancel import CancelWatch

if TYPE_CHECKING:
    from federated_pneumonia_detection.training.going_on import GoingOn

__all__ = ["app"]

_POLL_S = 0.2

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Do the run of the ticket, and leave its result there."""
    ticket_file = str(context.run_config.get("ticket") or "")
    if not ticket_file:
        raise FederatedError("this app is started by `fpd train federated --engine superlink`")
    desk = Desk(Path(ticket_file).parent)
    desk.sit_down()
    try:
        with heard(), quiet():
            result = Result(_run(grid, desk.ticket()), status="completed")
    except RunCancelled as cancelled:
        _end(desk, Result(error=str(cancelled), status="cancelled"))
        raise
    except Signalled as signalled:
        _end(desk, Result(error=str(signalled)))
        raise FederatedError(str(signalled)) from None
    except Exception as error:
        lines = str(error).strip().splitlines()
        _end(desk, Result(error=lines[0] if lines else type(error).__name__))
        raise
    desk.end(result)


def _end(desk: Desk, result: Result) -> None:
    """Say how it ended, and be gone soon: the SuperLink need not hear of a run that is over."""
    desk.end(result)
    leave_within()


def _run(grid: Grid, ticket: Ticket) -> dict[str, object]:
    # Here, within `heard` and `quiet`: torch takes seconds, in which a signal may come, too.
    from federated_pneumonia_detection.config import FederatedConfig, make_config
    from federated_pneumonia_detection.federated.coordination import Coordination
    from federated_pneumonia_detection.federated.server_app import ServerRun
    from federated_pneumonia_detection.training.devices import torch_threads

    config = cast(FederatedConfig, make_config(ticket.config, "federated", where="the ticket"))
    coordination = Coordination(
        config=config,
        experiment_name=ticket.experiment_name,
        run_id=ticket.run_id,
        log_dir=Path(ticket.log_dir),
        checkpoint_dir=Path(ticket.checkpoint_dir),
        reply_timeout_s=ticket.reply_timeout_s,
        deals_out=False,
        federation=ticket.federation_dir,
        going_on=_going_on(ticket),
    )

    def carry(run: ServerRun, source: str) -> None:
        run.connect_timeout_s, run.poll_s = ticket.connect_timeout_s, _POLL_S
        with run.told(), torch_threads(config.threads):
            try:
                run.rounds(WatchfulGrid(grid))
            except Signalled as signalled:
                asked = CancelWatch(ticket.log_dir, ticket.run_id).asked()
                if asked is not None and not signalled.orphaned:
                    raise RunCancelled(asked.reason, asked.by) from None
                raise _what_it_means(signalled, run.rounds_done, ticket.run_id) from None

    return coordination.run(ticket.source, carry)


def _going_on(ticket: Ticket) -> GoingOn | None:
    from federated_pneumonia_detection.training.going_on import find_going_on

    if ticket.from_round is None:
        return None
    return find_going_on(
        ticket.run_id, log_dir=ticket.log_dir, checkpoint_dir=ticket.checkpoint_dir, number=ticket.from_round
    )


def _what_it_means(signalled: Signalled, rounds_done: int, run_id: str) -> FederatedError:
    if signalled.orphaned:
        return SuperLinkLost(rounds_done, run_id)
    return RunCancelled("stopped at the SuperLink", "flwr stop")
