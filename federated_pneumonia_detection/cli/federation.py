"""`fpd federation`: the machines that train together. A laptop plays all of them, or each has a command of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from federated_pneumonia_detection.cli.errors import CANCELLED, FAILED
from federated_pneumonia_detection.cli.lines import printable

__all__ = ["app"]

app = typer.Typer(help="Hospitals that train together over Flower's SuperLink.", no_args_is_help=True)

Dir = Annotated[Path, typer.Option("--dir", help="The coordinator's directory: authority, keys, database.")]
DEFAULT_DIR = Path("federation")


@app.command()
def up(
    nodes: Annotated[int, typer.Option(min=1, max=64, help="Hospitals.")] = 3,
    directory: Dir = DEFAULT_DIR,
    source: Annotated[
        str | None,
        typer.Option(help="npz, folder, CSV, zip or phantoms; left out: FPD_DATA, cache, publisher, phantoms."),
    ] = None,
    partition: Annotated[
        str, typer.Option(help="How the hospitals share it: iid, dirichlet or patient.")
    ] = "dirichlet",
    alpha: Annotated[float, typer.Option(min=0.001, help="For dirichlet: the smaller, the more uneven.")] = 0.5,
    seed: Annotated[int, typer.Option(min=0, help="Of the sharing out.")] = 0,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; another where it is not free.")] = 8000,
) -> None:
    """Start a whole federation on this machine: SuperLink, hospitals, their shippers, and a server with its page.

    All of it listens on 127.0.0.1, with TLS, registered node keys and a token for each hospital: the processes of real
    hospitals, without the distance. Ctrl-C ends all of it.
    """
    from federated_pneumonia_detection.cli.federation_up import Laptop

    if partition not in ("iid", "dirichlet", "patient"):
        raise typer.BadParameter(f"{partition}: iid, dirichlet or patient", param_hint="--partition")
    raise typer.Exit(
        Laptop(directory, nodes=nodes, source=source, partition=partition, alpha=alpha, seed=seed, port=port).run()
    )


@app.command()
def init(
    host: Annotated[
        list[str] | None,
        typer.Option(help="A name or address by which hospitals reach the SuperLink; may be given several times."),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="The SuperLink's port.")] = 9443,
    directory: Dir = DEFAULT_DIR,
) -> None:
    """Make a federation, at its coordinator: an authority, and a certificate for the SuperLink.

    The authority's certificate, ca.pem, is for every hospital; ca.key and superlink.key never leave this directory.
    """
    from federated_pneumonia_detection.federated.superlink.directory import Federation

    made = Federation.create(directory, address=f"localhost:{port}", hosts=tuple(host or ()))
    typer.echo(f"Made {directory}, for {', '.join(made.hosts)}.")
    typer.echo(f"Give each hospital {made.ca}. Then: fpd federation superlink --dir {directory}")


@app.command()
def superlink(
    directory: Dir = DEFAULT_DIR,
    host: Annotated[
        str, typer.Option(help="What to listen on. Whoever reaches it may run code at every hospital.")
    ] = "127.0.0.1",
) -> None:
    """Run the SuperLink, at the coordinator, until Ctrl-C: TLS, and admitted nodes only.

    Whoever reaches its port may submit programs to every hospital. It listens on 127.0.0.1 unless you say otherwise; a
    firewall has to let in the hospitals alone then.
    """
    from federated_pneumonia_detection.federated.superlink.commands import environment, superlink_command
    from federated_pneumonia_detection.federated.superlink.directory import Federation

    federation = Federation.open(directory)
    port = int(federation.address.rpartition(":")[2])
    typer.echo(f"SuperLink on {host}:{port}, TLS, admitted nodes only. Ctrl-C ends it, and the run it carries.")
    if host not in ("127.0.0.1", "::1", "localhost"):
        typer.echo(
            "Whoever reaches that port may run code at every hospital: let a firewall admit the hospitals alone."
        )
    command = superlink_command(federation, host, port)
    raise typer.Exit(_run("SuperLink", command, environment(federation.flower_home), directory / "superlink.log"))


@app.command("node-key")
def node_key(
    name: Annotated[str, typer.Argument(help="What the hospital is called.")],
    directory: Annotated[Path, typer.Option("--dir", help="Where the two files go.")] = Path(),
) -> None:
    """Make a hospital's key, at the hospital: NAME.key stays, NAME.pub goes to the coordinator."""
    from federated_pneumonia_detection.federated.superlink.directory import check_client_id, write_private
    from federated_pneumonia_detection.federated.superlink.keys import make_node_key

    pair = make_node_key(check_client_id(name))
    directory.mkdir(parents=True, exist_ok=True)
    private, public = directory / f"{name}.key", directory / f"{name}.pub"
    write_private(private, pair.private)
    public.write_bytes(pair.public)
    typer.echo(f"{private} stays here. Send {public} to the coordinator: fpd federation admit {public.name}")


@app.command()
def admit(
    key: Annotated[Path, typer.Argument(help="The hospital's public key, NAME.pub.")],
    name: Annotated[str | None, typer.Option(help="What to call it; left out: the file's name.")] = None,
    directory: Dir = DEFAULT_DIR,
) -> None:
    """Let a hospital take part, at the coordinator. The SuperLink has to run."""
    from federated_pneumonia_detection.federated.superlink.directory import Federation
    from federated_pneumonia_detection.federated.superlink.flower import Flower
    from federated_pneumonia_detection.federated.superlink.keys import is_node_key

    if not is_node_key(key.read_bytes()):
        raise typer.BadParameter(f"{key}: that is no node's public key; `fpd federation node-key` makes one")
    called = name or key.stem
    Flower(Federation.open(directory)).admit(key, called)
    typer.echo(f"{called} is admitted.")


@app.command()
def dismiss(
    name: Annotated[str, typer.Argument(help="What the hospital is called.")],
    directory: Dir = DEFAULT_DIR,
) -> None:
    """Take a hospital's admission back, at the coordinator. The SuperLink has to run."""
    from federated_pneumonia_detection.federated.superlink.directory import Federation
    from federated_pneumonia_detection.federated.superlink.flower import Flower

    Flower(Federation.open(directory)).dismiss(name)
    typer.echo(f"{name} is turned away from now on.")


@app.command("nodes")
def list_nodes(directory: Dir = DEFAULT_DIR) -> None:
    """List the admitted hospitals, at the coordinator, and whether each is connected."""
    from federated_pneumonia_detection.federated.superlink.directory import Federation
    from federated_pneumonia_detection.federated.superlink.flower import Flower

    found = Flower(Federation.open(directory)).nodes()
    for name, state in found:
        typer.echo(f"{printable(name)}\t{'never seen' if state == 'registered' else state}")
    if not found:
        typer.echo("No hospital is admitted yet. At the hospital: fpd federation node-key NAME; here: admit NAME.pub")


@app.command()
def join(
    name: Annotated[str, typer.Argument(help="What this hospital is called, in every log.")],
    superlink: Annotated[str, typer.Option(help="The SuperLink's address, as superlink.example.org:9443.")],
    data: Annotated[str, typer.Option(help="This hospital's images: npz, folder, CSV or zip.")],
    ca: Annotated[Path, typer.Option(help="The authority's certificate, from the coordinator.")] = Path("ca.pem"),
    key: Annotated[Path | None, typer.Option(help="This hospital's key; left out: NAME.key.")] = None,
    log_dir: Annotated[Path, typer.Option(help="Where this hospital's journals go.")] = Path("logs/progress"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="For the node's own processes, on 127.0.0.1.")] = 9094,
    home: Annotated[Path, typer.Option(help="Where Flower keeps what it is sent.")] = Path("flower"),
) -> None:
    """Run a hospital's SuperNode until Ctrl-C. Which images and which log directory are said here, and nowhere else.

    Beside it: fpd ship LOG_DIR --to SERVER --token-file TOKEN.
    """
    from federated_pneumonia_detection.data import find_source
    from federated_pneumonia_detection.federated.superlink.commands import environment, supernode_command
    from federated_pneumonia_detection.federated.superlink.directory import check_client_id

    own_key = key or Path(f"{check_client_id(name)}.key")
    for file in (own_key, ca):
        if not file.is_file():
            raise typer.BadParameter(f"{file}: there is no such file")
    found = find_source(data)
    log_dir.mkdir(parents=True, exist_ok=True)
    home.mkdir(parents=True, exist_ok=True)
    source = "phantoms" if found.path is None else str(found.path.resolve())
    config = {"client-id": name, "data": source, "log-dir": str(log_dir.resolve())}
    typer.echo(f"{name}: SuperNode for {superlink}, images {source}, journals {log_dir}. Ctrl-C ends it.")
    command = supernode_command(superlink=superlink, ca=ca, key=own_key, port=port, node_config=config)
    raise typer.Exit(_run(f"{name}'s SuperNode", command, environment(home), home / "supernode.log"))


def _in_words(words: str, output: Path) -> str:
    """What a program's end means, where it is known."""
    said = output.read_text(encoding="utf-8", errors="replace")
    for sign, meaning in _MEANINGS.items():
        if sign in said:
            return f"{words.partition('.')[0]}: {meaning}"
    return words


_MEANINGS = {
    "Failed to activate SuperNode": "the SuperLink does not admit this key. At the coordinator: fpd federation admit "
    "NAME.pub. Or a node with it is connected; one that was killed counts as connected for a minute",
    "CERTIFICATE_VERIFY_FAILED": "the SuperLink shows a certificate that ca.pem does not vouch for, or not under that "
    "name",
    "address already in use": "its port is taken; name another one with --port",
}


def _run(name: str, command: list[str], environment: dict[str, str], output: Path) -> int:
    """Run one of Flower's programs until Ctrl-C, or until it ends by itself, and end all that it started; exit code."""
    import signal
    import time

    from federated_pneumonia_detection.federated.superlink.commands import LAUNCHER
    from federated_pneumonia_detection.federated.superlink.processes import Processes, Program

    ended_by = signal.SIGINT

    def end(number: int, frame: object) -> None:
        nonlocal ended_by
        ended_by = signal.Signals(number)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    output.unlink(missing_ok=True)
    processes = Processes(lambda words: typer.echo(f"fpd: {printable(_in_words(words, output))} ({output})", err=True))
    try:
        processes.start(Program(name, command, output, environment, again=False, launcher=LAUNCHER))
        while processes.any_runs():
            processes.look_after()
            time.sleep(0.2)
        processes.look_after()
    except KeyboardInterrupt:
        return CANCELLED if ended_by is signal.SIGINT else 0
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        processes.end()
    return FAILED
