"""`make run`: starts the sandbox in the foreground, says how to use it, and stops it cleanly on Ctrl-C."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from apiserver.settings import ApiSettings
from cloud.image_settings import ImageSettings
from cloud.settings import CloudSettings
from common import config, daemon, log
from dispatcher.settings import DispatcherSettings
from sandbox import claims
from sandbox.service import Sandbox
from sandbox.settings import SandboxSettings

_WELCOME = """
Syros is ready: {url}   (API documentation: {url}/docs)

  logins   demo   {demo}   a tenant, project demo
           admin  {admin}   the operator, project admin
  Ganeti   simulated, at {rapi}

Try, in another terminal (pip install python-openstackclient):

  export OS_CLIENT_CONFIG_FILE={clouds}
  openstack --os-cloud syros server create --flavor m1.small --image debian-12 --wait web1
  openstack --os-cloud syros console url show web1
  openstack --os-cloud syros server stop web1

The operator's view:

  syros-manage --config {config} backend list

Everything is kept in {folder}/ (`make clean-var` forgets it). Ctrl-C stops.
"""


@click.command()
@click.version_option(package_name="syros", prog_name="syros-sandbox")
@click.option("--config", "path", type=click.Path(path_type=Path), help="configuration file")
def main(path: Path | None) -> None:
    """Run the whole cloud in one process, with a simulated Ganeti."""
    try:
        run(config.Config.read(path, os.environ))
    except config.ConfigError as err:
        sys.exit(f"syros-sandbox: {err}")
    except claims.ClaimError as err:
        sys.exit(f"syros-sandbox: {err}")
    except OSError as err:
        sys.exit(f"syros-sandbox: {err.strerror or err}")


def run(settings: config.Config) -> None:
    """Run until a signal; raises ConfigError, and ClaimError when the folder or the port is taken."""
    own = settings.section("sandbox", SandboxSettings)
    api = settings.section("api", ApiSettings)
    logging = settings.section("log", config.Log)
    own.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    stop = daemon.stop_on_signals()
    with claims.folder(own.state_dir), (own.state_dir / "syros.log").open("a", encoding="utf-8") as stream:
        claims.port(api.host, api.port)
        log.set_up(level=logging.level, form=logging.format, stream=stream)
        sandbox = Sandbox(
            own,
            api,
            settings.section("cloud", CloudSettings),
            settings.section("dispatcher", DispatcherSettings),
            settings.section("images", ImageSettings),
        )
        click.echo("starting Syros ...")
        sandbox.start()
        click.echo(
            _WELCOME.format(
                url=sandbox.url,
                demo=sandbox.secrets.demo_password,
                admin=sandbox.secrets.admin_password,
                rapi=sandbox.simulator.url,
                clouds=sandbox.clouds_file.absolute(),
                config=sandbox.config_file.absolute(),
                folder=own.state_dir,
            )
        )
        stop.wait()
        click.echo("stopping ...")
        sandbox.stop()


if __name__ == "__main__":
    main()
