#!/usr/bin/python3 -ISE
"""The OS definition `syros` (Ganeti's OS API 20): puts an image file onto an instance's first disk.

It is installed under the names of the five scripts; standard library, qemu-img and xorriso only. Parameters, all
public: `image`, a file's name in the node's image directory; `image_format`, raw (the default) or qcow2; `guest_url`
and `guest_token`, by which it fetches, once, what the guest is to be given. That goes onto the disk named `seed`, as
cloud-init's NoCloud data source reads it. Where there is a token, it reports by it how much of the image is written. An
export that is given an `image_token` sends the first disk to `image_url` and nothing to Ganeti. What it prints to
standard error ends up in the job's error, an export's in the job's log.
"""

import http.client
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO  # Any: JSON

CONFIG = Path("/etc/syros/os.conf")
IMAGES = Path("/srv/syros/images")
PARAMETERS = {
    "image": "name of a file in the image directory",
    "image_format": "raw (default) or qcow2",
    "guest_url": "where to fetch what the guest is given; empty for nowhere",
    "guest_token": "what to show there; good for one answer",
    "image_url": "where an export sends the first disk",
    "image_token": "what to show there; good for one upload; empty for an export of the usual kind",
}
SEED_DISK = "seed"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_FORMATS = frozenset({"raw", "qcow2"})
_MIB = 1024 * 1024
_INFO_TIMEOUT = 60
_FETCH_TIMEOUT = 30
_FETCH_TRIES = 5
_FETCH_PAUSE = 2.0
_MOST_ANSWER = 4 * _MIB
_REPORT_TIMEOUT = 2
#: between reports: seconds and percent that have to pass, both
_REPORT_PAUSE = 2.0
_REPORT_STEP = 5
#: as `qemu-img convert -p` prints it, again and again on one line
_TAIL = 200
_PERCENT = re.compile(rb"\(([0-9]{1,3})\.[0-9]+/100%\)")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,200}")
#: memory, not a disk: what is written there are secrets
_SCRATCH = Path("/run")
#: where a disk is compressed before it is sent, and the bytes that stay free there
_EXPORT_SCRATCH = "/var/tmp"  # noqa: S108  # the file made there has no name
_EXPORT_SPARE = 1024 * _MIB
#: an answer comes when all bytes are on the other side's disk
_SEND_TIMEOUT = 900


class Refused(Exception):
    """The instance can't be installed like this; the text is for the job's error."""


def main(script: str, environ: Mapping[str, str]) -> int:
    """Run the script of that name; 0 if it worked."""
    try:
        SCRIPTS[script](environ)
    except Refused as err:
        print(f"syros: {err}", file=sys.stderr)  # noqa: T201
        return 1
    except (OSError, subprocess.SubprocessError) as err:
        print(f"syros: {script} failed: {err}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def verify(environ: Mapping[str, str]) -> None:
    """Check the parameters, on the node that will run the instance, before anything exists."""
    if environ.get("OSP_IMAGE_TOKEN"):
        check_source(environ, "IMAGE")
    if not environ.get("OSP_IMAGE_URL"):
        # one that an image was made of exists; what it was installed from may be gone by now
        image_of(environ)
    if environ.get("OSP_GUEST_TOKEN"):
        check_guest_source(environ)


def create(environ: Mapping[str, str]) -> None:
    """Write the image onto the first disk, which must be large enough, and the guest's data onto its own."""
    image, form = image_of(environ)
    disk, size = environ.get("DISK_0_PATH"), int(environ.get("DISK_0_SIZE", "0")) * _MIB
    if not disk:
        raise Refused("the instance has no disk to write the image to")
    needed = virtual_size(image, form)
    if needed > size:
        raise Refused(f"image {image.name} needs {-(-needed // _MIB)} MiB, the disk has {size // _MIB} MiB")
    told: Callable[[int], None] = _nobody
    if environ.get("OSP_GUEST_TOKEN"):
        # first, so that the token opens nothing any more while the image is written
        write_seed(seed_files(fetch(environ)), *seed_disk(environ))
        told = Reporter(environ).tell
    print(f"writing image {image.name} ({form}) to {disk}")  # noqa: T201
    # -n: the disk is there already, and may be larger than the image
    error = convert(["qemu-img", "convert", "-p", "-n", "-f", form, "-O", "raw", str(image), disk], told)
    if error is not None:
        raise Refused(f"qemu-img could not write image {image.name}: {error}")


def convert(command: Sequence[str], told: Callable[[int], None]) -> str | None:
    """Run a `qemu-img convert -p`, and tell each percentage it prints; give its error's text if it fails."""
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors) as running:
            assert running.stdout is not None  # noqa: S101  # it is a pipe
            seen = b""
            while chunk := os.read(running.stdout.fileno(), _MIB):
                seen = (seen + chunk)[-_TAIL:]
                if found := _PERCENT.findall(seen):
                    told(int(found[-1]))
        errors.seek(0)
        return _text(errors.read(_MIB)) if running.returncode != 0 else None


class Reporter:
    """Tells the API how much of the image is written. What can't be told is left out: the deployment goes on."""

    def __init__(self, environ: Mapping[str, str], clock: Callable[[], float] = time.monotonic) -> None:
        self._environ = environ
        self._clock = clock
        self._opener = _opener()
        self._pause = _REPORT_PAUSE
        self._due = clock() + self._pause
        self._last = 0
        self._wanted = True

    def tell(self, percent: int) -> None:
        """Report a percentage, unless there was a report just now."""
        if not self._wanted or self._clock() < self._due or percent < self._last + _REPORT_STEP:
            return
        body = {"instance": self._environ.get("INSTANCE_NAME", ""), "percent": percent}
        try:
            self._opener.open(_request(self._environ, "/guest/v1/progress", body), timeout=_REPORT_TIMEOUT).close()
        except urllib.error.HTTPError as err:
            # a refusal stays one; an API that is busy may have time later
            self._wanted = err.code >= 500
            self._pause *= 2
        except (OSError, http.client.HTTPException):
            self._pause *= 2
        self._last = percent
        self._due = self._clock() + self._pause


def check_guest_source(environ: Mapping[str, str]) -> None:
    """Raise Refused unless the guest's data can be fetched, as far as that shows from here."""
    check_source(environ, "GUEST")
    if shutil.which("xorriso") is None:
        raise Refused("xorriso is not installed on this node: it writes the disk that the guest's data is on")


def check_source(environ: Mapping[str, str], which: str) -> None:
    """Raise Refused for a URL or a token of that kind (GUEST, IMAGE) that may not be used."""
    url, name = environ.get(f"OSP_{which}_URL", ""), which.lower()
    plain = settings(CONFIG).get("PLAIN_HTTP", "") == "yes"
    if not url.startswith("https://") and not (plain and url.startswith("http://")):
        raise Refused(f"{name}_url {url!r} is not https://")
    if not _TOKEN.fullmatch(environ.get(f"OSP_{which}_TOKEN", "")):
        raise Refused(f"{name}_token is no token")


def fetch(environ: Mapping[str, str]) -> dict[str, Any]:
    """Redeem the token. Only a server that was not reached is asked again: a token gets one answer."""
    check_guest_source(environ)
    request = _request(environ, "/guest/v1/redeem", {"instance": environ.get("INSTANCE_NAME", "")})
    opener = _opener()
    for left in reversed(range(_FETCH_TRIES)):
        try:
            with opener.open(request, timeout=_FETCH_TIMEOUT) as answer:
                found: dict[str, Any] = json.loads(answer.read(_MOST_ANSWER))
                return found
        except urllib.error.HTTPError as err:
            if err.code != 503 or not left:
                raise Refused(f"the guest's data was refused: {err.code} {_reason(err)}") from err
        except urllib.error.URLError as err:
            if not left or isinstance(err.reason, ssl.SSLError):
                raise Refused(f"the guest's data can't be fetched: {err.reason}") from err
        except (OSError, ValueError) as err:
            raise Refused(f"the guest's data did not arrive: {err}") from err
        time.sleep(_FETCH_PAUSE)
    raise AssertionError("the last try either returns or raises")


def seed_files(data: Mapping[str, Any]) -> dict[str, bytes]:
    """Give cloud-init's files, by name. JSON is YAML.

    The user data is the caller's, as it came; what else there is to set up goes into the vendor data, which the user
    data may override.
    """
    meta = {
        "instance-id": data["instance_id"],
        "local-hostname": data["hostname"],
        "public-keys": data["public_keys"],
        "meta": data["metadata"],
    }
    vendor: dict[str, Any] = {
        "write_files": [
            {"path": file["path"], "content": file["content"], "encoding": "b64"} for file in data["files"]
        ],
    }
    if data["password"]:
        vendor["password"] = data["password"]
        vendor["chpasswd"] = {"expire": False}
        # with a key nobody needs the password to get in from outside
        vendor["ssh_pwauth"] = not data["public_keys"]
    files = {
        "meta-data": json.dumps(meta, indent=1).encode(),
        "user-data": b64decode(data["user_data"]),
        "vendor-data": b"#cloud-config\n" + json.dumps(vendor, indent=1).encode(),
    }
    if data["network"]:
        files["network-config"] = json.dumps(data["network"], indent=1).encode()
    return files


def seed_disk(environ: Mapping[str, str]) -> tuple[Path, int]:
    """Find the disk for the guest's data, and its bytes; raises Refused if there is none."""
    for number in range(int(environ.get("DISK_COUNT", "0"))):
        if environ.get(f"DISK_{number}_NAME") == SEED_DISK:
            return Path(environ[f"DISK_{number}_PATH"]), int(environ[f"DISK_{number}_SIZE"]) * _MIB
    raise Refused(f"the instance has no disk named {SEED_DISK} for the guest's data")


def write_seed(files: Mapping[str, bytes], disk: Path, size: int) -> None:
    """Write the files onto a disk, as an ISO 9660 file system with the label that cloud-init looks for."""
    with tempfile.TemporaryDirectory(prefix="syros-seed-", dir=_SCRATCH if _SCRATCH.is_dir() else None) as scratch:
        folder, image = Path(scratch) / "files", Path(scratch) / "seed.iso"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        command = ["xorriso", "-as", "mkisofs", "-quiet", "-V", "cidata", "-J", "-r", "-o", str(image), str(folder)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise Refused(f"xorriso could not make the guest's data: {_text(done.stderr)}")
        content = image.read_bytes()
    if len(content) > size:
        raise Refused(f"the guest's data needs {-(-len(content) // _MIB)} MiB, its disk has {size // _MIB} MiB")
    with disk.open("r+b") as target:
        target.write(content.ljust(size, b"\0"))
        target.flush()
        os.fsync(target.fileno())


def export(environ: Mapping[str, str]) -> None:
    """Send a disk to standard output; or, with a token, the first one to the API and no other anywhere."""
    if environ.get("OSP_IMAGE_TOKEN"):
        if environ.get("EXPORT_INDEX") == "0":
            send_image(environ)
        return
    with open(environ["EXPORT_DEVICE"], "rb") as source:  # noqa: PTH123
        _copy(source, sys.stdout.buffer)


def send_image(environ: Mapping[str, str]) -> None:
    """Send a disk as a compressed qcow2; where there is no qemu-img, as it is."""
    check_source(environ, "IMAGE")
    device = environ["EXPORT_DEVICE"]
    if shutil.which("qemu-img") is None:
        with open(device, "rb") as file:  # noqa: PTH123
            send(environ, file, "raw")
        return
    folder = settings(CONFIG).get("SCRATCH") or _EXPORT_SCRATCH
    # the file has no name, so that nothing is left of it, whatever ends this program
    with tempfile.TemporaryFile(dir=folder) as file:
        room = shutil.disk_usage(folder).free - _EXPORT_SPARE
        if room <= 0:
            raise Refused(f"{folder} on this node has no room for a copy of the disk")
        descriptor = file.fileno()
        target = f"/proc/self/fd/{descriptor}"
        limits = ["prlimit", f"--fsize={room}", "--core=0", "--"]
        done = subprocess.run(
            [*limits, "qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", device, target],
            stdin=subprocess.DEVNULL,
            # nothing of it may get into Ganeti's own copy
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[descriptor],
            check=False,
        )
        if done.returncode != 0:
            told = _text(done.stderr) or f"it ended with {done.returncode}"
            raise Refused(f"qemu-img could not copy the disk within {room // _MIB} MiB of {folder}: {told}")
        send(environ, file, "qcow2")


def send(environ: Mapping[str, str], file: BinaryIO, form: str) -> None:
    """Bring a file to the API, once. Only a server that was not reached is asked again: a token gets one upload."""
    size = file.seek(0, os.SEEK_END)
    opener = _opener()
    for left in reversed(range(_FETCH_TRIES)):
        request = urllib.request.Request(  # noqa: S310  # its scheme was checked
            f"{environ['OSP_IMAGE_URL']}?disk_format={form}",
            data=_chunks(file),
            headers={
                "Authorization": f"Bearer {environ['OSP_IMAGE_TOKEN']}",
                "Content-Type": "application/octet-stream",
                "Content-Length": str(size),
            },
            method="PUT",
        )
        try:
            with opener.open(request, timeout=_SEND_TIMEOUT):
                return
        except urllib.error.HTTPError as err:
            raise Refused(f"the image was refused: {err.code} {_reason(err)}") from err
        except urllib.error.URLError as err:
            if not left or not isinstance(err.reason, ConnectionRefusedError):
                raise Refused(f"the image can't be sent: {err.reason}") from err
        time.sleep(_FETCH_PAUSE)


def import_(environ: Mapping[str, str]) -> None:
    """Write standard input onto a disk."""
    with open(environ["IMPORT_DEVICE"], "r+b") as target:  # noqa: PTH123
        _copy(sys.stdin.buffer, target)


def rename(_environ: Mapping[str, str]) -> None:
    """Do nothing: the guest's name is the guest's business."""


SCRIPTS: dict[str, Callable[[Mapping[str, str]], None]] = {
    "create": create,
    "export": export,
    "import": import_,
    "rename": rename,
    "verify": verify,
}


def image_of(environ: Mapping[str, str]) -> tuple[Path, str]:
    """Give the image's file and format that the parameters name; raises Refused."""
    name = environ.get("OSP_IMAGE", "")
    form = environ.get("OSP_IMAGE_FORMAT") or "raw"
    if not _NAME.fullmatch(name):
        raise Refused(f"image {name!r} is not a file name of letters, digits, dots, dashes and underscores")
    if form not in _FORMATS:
        raise Refused(f"image_format {form!r} is neither raw nor qcow2")
    path = image_directory(CONFIG) / name
    if not path.is_file():
        raise Refused(f"image {name} is not in {path.parent} on this node")
    return path, form


def image_directory(config: Path) -> Path:
    """Tell where this node keeps images: the line `IMAGES=<path>` of the configuration file."""
    return Path(settings(config).get("IMAGES") or IMAGES)


def settings(config: Path) -> dict[str, str]:
    """Read this node's configuration file: lines `KEY=value`.

    IMAGES, the image directory; CA, a file of certificates that the API's is checked against instead of the system's;
    SCRATCH, the directory where disks are compressed before they are sent; PLAIN_HTTP=yes, for test beds: URLs may be
    http://.
    """
    try:
        lines = config.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}


def virtual_size(image: Path, form: str) -> int:
    """Give the bytes that the image takes on a disk; raises Refused for one that refers to other files.

    A qcow2 file may name any file of this host as its backing or data file, and would bring its content to the guest.
    """
    if form == "raw":
        return image.stat().st_size
    done = subprocess.run(
        ["qemu-img", "info", "-U", "-f", form, "--output=json", str(image)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=_INFO_TIMEOUT,
    )
    if done.returncode != 0:
        raise Refused(f"image {image.name} is not readable as {form}: {_text(done.stderr)}")
    info = json.loads(done.stdout)
    specific = info.get("format-specific", {}).get("data", {})
    if info.get("backing-filename") or specific.get("data-file"):
        raise Refused(f"image {image.name} refers to another file")
    return int(info["virtual-size"])


def _copy(source: BinaryIO, target: BinaryIO) -> None:
    shutil.copyfileobj(source, target, _MIB)
    target.flush()


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while chunk := file.read(_MIB):
        yield chunk


def _nobody(_percent: int) -> None:
    """Tell nobody: without a token there is no one who would listen."""


def _request(environ: Mapping[str, str], path: str, body: Mapping[str, object]) -> urllib.request.Request:
    """Make a POST to the API, whose URL's scheme has been checked, with the token."""
    return urllib.request.Request(  # noqa: S310
        environ["OSP_GUEST_URL"].rstrip("/") + path,
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {environ['OSP_GUEST_TOKEN']}", "Content-Type": "application/json"},
        method="POST",
    )


def _opener() -> urllib.request.OpenerDirector:
    context = ssl.create_default_context(cafile=settings(CONFIG).get("CA") or None)
    return urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), _NoRedirects()
    )


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Never take the token elsewhere."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:  # Any: the base class has no types for these
        return None


def _reason(err: urllib.error.HTTPError) -> str:
    try:
        fault = next(iter(json.loads(err.read(_MIB)).values()))
        return str(fault["message"])
    except (OSError, ValueError, AttributeError, LookupError, TypeError, StopIteration):
        return str(err.reason)


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace").strip()


if __name__ == "__main__":
    sys.exit(main(os.path.basename(sys.argv[0]), os.environ))  # noqa: PTH119
