"""The programs that docs/deploy.md types, played: what they are told is checked without an account.

`aws` speaks to an emulator; `terraform` knows folders, states, files of values and outputs, and refuses what
the real one would refuse; `helm` renders the real chart with these values; the rest says what it would say.
Each is a small script in a folder of its own, which asks this process what to answer.
"""

import json
import marshal
import re
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

from infra.ready.looks import STEPS
from tests.helm import programs
from tests.helm.charts import ROOT
from tests.infra.playing_aws import Aws

__all__ = ["Estate", "Refused", "Told", "played"]

PLAYED = (
    "aws", "curl", "docker", "git", "helm", "kubectl", "make", "python3", "sleep", "terraform",
)  # fmt: skip
# Lines of a screen: what is longer the client of AWS shows page by page, and waits for a key.
SCREEN_LINES = 24
# Hundreds of these are started: only modules in C, for `json` and `socket` take longer than Python itself.
# Reads its input only when it is asked for: else a loop that feeds on it would be robbed.
_SCRIPT = """#!{python} -SE
import _socket, marshal, os, sys
link = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
link.connect(("127.0.0.1", {port}))
def tell(thing):
    whole = marshal.dumps(thing)
    link.sendall(len(whole).to_bytes(4, "big") + whole)
def take(size):
    found = b""
    while len(found) < size:
        part = link.recv(size - len(found))
        if not part:
            sys.exit("nobody plays this program any more")
        found += part
    return found
def hear():
    return marshal.loads(take(int.from_bytes(take(4), "big")))
tell(dict(
    words=[os.path.basename(sys.argv[0]), *sys.argv[1:]], folder=os.getcwd(), environment=dict(os.environ),
    is_asked=os.isatty(0), is_shown=os.isatty(1),
))
answer = hear()
if answer.get("reads"):
    tell(sys.stdin.buffer.read())
    answer = hear()
sys.stdout.buffer.write(answer["said"].encode("latin-1"))
sys.stderr.write(answer["wrong"])
sys.exit(answer["code"])
"""


class Refused(Exception):
    """The program would have ended with an error: its words."""


@dataclass
class Told:
    """One call: the words after the program's name, where, with which variables, and its input.

    `is_shown`: somebody sees on a screen what it says. `is_asked`: somebody can answer what it asks.
    """

    words: list[str]
    folder: Path
    environment: dict[str, str]
    piped: Callable[[], bytes]
    is_shown: bool = False
    is_asked: bool = True


@dataclass
class Estate:
    """What there is after the commands so far."""

    aws: Aws
    root: Path
    certificates: str
    # (folder, data folder) -> (bucket, key, region) of its backend.
    backends: dict[tuple[Path, str], tuple[str, str, str]] = field(default_factory=dict)
    # (bucket, key) -> the region that the state remembers.
    states: dict[tuple[str, str], str] = field(default_factory=dict)
    # What was typed, for tests.
    said: list[list[str]] = field(default_factory=list)
    # The commit that is checked out, and the digest of the image that was pushed last.
    commit: str = "abc0000"
    newest: str = ""
    # Releases of Helm; whether somebody has waited for the load balancer to go.
    releases: set[str] = field(default_factory=set)
    is_unrouted: bool = False

    def answer(self, program: str, told: Told) -> str:
        """What it prints. Raises Refused, AwsError."""
        self.said.append([program, *told.words])
        return str(getattr(self, f"_{program}")(told))

    def _aws(self, told: Told) -> str:
        said = self.aws.run(told.words, told.environment.get("AWS_REGION", ""), told.folder, told.piped)
        # `less` unless AWS_PAGER is set, and empty; what is pasted behind the command goes to it as keys.
        if told.is_shown and told.environment.get("AWS_PAGER") != "" and said.count("\n") >= SCREEN_LINES:
            raise Refused("a pager waits for somebody to press q")
        return said

    def _make(self, told: Told) -> str:
        for target in told.words:
            if not re.search(rf"(?m)^{target}:", (ROOT / "Makefile").read_text("utf-8")):
                raise Refused(f"No rule to make target '{target}'")
        return ""

    def _sleep(self, told: Told) -> str:
        return ""

    def _git(self, told: Told) -> str:
        return f"{self.commit}\n"

    def _curl(self, told: Told) -> str:
        (url,) = [word for word in told.words if word.startswith("http")]
        if "checkip" in url:
            return "203.0.113.7\n"
        if "-w" in told.words:
            return "200\n"
        region = told.environment["AWS_REGION"]
        if (
            url.endswith("-bundle.pem")
            and f"/{region}/{region}-bundle.pem" not in url
            and "/global/" not in url
        ):
            raise Refused(f"404 {url}")
        if any(re.match(r"-\w*O", word) for word in told.words):
            (told.folder / url.rpartition("/")[2]).write_text(self.certificates, encoding="utf-8")
            return ""
        return self.certificates

    def _docker(self, told: Told) -> str:
        if told.words[0] == "login":
            assert told.piped()
        elif told.words[:2] == ["buildx", "build"]:
            tag = told.words[told.words.index("--tag") + 1]
            if told.words[-1] != "." or not (told.folder / "Dockerfile").exists():
                raise Refused("there is no Dockerfile here")
            registry = self.aws.client("ecr", tag.split(".")[3])
            manifest = {
                "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"digest": self.commit},
            }  # fmt: skip
            pushed = registry.put_image(
                repositoryName="exchange", imageManifest=json.dumps(manifest), imageTag=tag.rpartition(":")[2]
            )
            self.newest = pushed["image"]["imageId"]["imageDigest"]
        return ""

    def _kubectl(self, told: Told) -> str:
        if "-f" in told.words and "-" in told.words:
            assert told.piped()
        if told.words[:2] == ["wait", "ingress"]:
            self.is_unrouted = "exchange" not in self.releases
        if told.words[:2] == ["get", "statefulset"]:
            return f"1.dkr.ecr.eu-central-1.amazonaws.com/exchange@{self.newest}"
        return "apiVersion: v1\n" if "-o" in told.words else ""

    def _helm(self, told: Told) -> str:
        verb, *rest = told.words
        if verb == "uninstall":
            self.releases.discard(rest[0])
            return ""
        assert verb == "upgrade"
        self.releases.add(next(word for word in rest if not word.startswith("-")))
        kept = [
            word
            for word in rest
            if word not in ("--install", "--rollback-on-failure", "--wait", "--force-conflicts")
        ]
        if "--timeout" in kept:
            place = kept.index("--timeout")
            del kept[place : place + 2]
        done = subprocess.run(
            [str(programs.helm()), "template", *kept],
            cwd=told.folder, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        if done.returncode:
            raise Refused(done.stderr)
        return ""

    def _python3(self, told: Told) -> str:
        assert told.words[0] == "-m"
        if told.words[1] != "infra.ready" and not told.environment["PATH"].startswith(
            f"{self.root}/.venv/bin:"
        ):
            raise Refused("No module named 'httpx'")
        if told.words[1] == "infra.ready":
            for look in STEPS[told.words[2]]:
                for text in (look.command, look.missing):
                    Template(text).substitute(told.environment)
        return ""

    def _terraform(self, told: Told) -> str:
        words, folder = list(told.words), told.folder
        if words[0].startswith("-chdir="):
            folder = (folder / words.pop(0).removeprefix("-chdir=")).resolve()
        verb, *rest = words
        place = (folder, told.environment.get("TF_DATA_DIR", ".terraform"))
        if verb == "init":
            self.backends[place] = self._backend(folder, rest)
            return ""
        if place not in self.backends:
            raise Refused(f"Backend initialization required: {folder}")
        bucket, key, _ = self.backends[place]
        if verb == "output":
            return self._output(rest[-1], folder, bucket, key)
        assert verb in ("apply", "destroy", "plan")
        if verb != "plan" and not told.is_asked:
            raise Refused("it asks for a yes, and reads something else")
        values = self._values(folder, rest, told.environment)
        region = values.get("region", '"eu-central-1"').strip('" ')
        if self.states.setdefault((bucket, key), region) != region:
            raise Refused(f"{bucket}/{key} is of {self.states[bucket, key]}, these values are of {region}")
        if verb == "apply":
            self._made(folder, values, region)
        elif verb == "destroy":
            if folder.name == "platform" and not self.is_unrouted:
                raise Refused("the load balancer's controller goes while there is one, which stays for ever")
            if (bucket, key.replace(".tfstate", "-platform.tfstate")) in self.states:
                raise Refused("the cluster goes before what is installed on it")
            del self.states[bucket, key]
        return ""

    def _backend(self, folder: Path, words: list[str]) -> tuple[str, str, str]:
        found: dict[str, str] = {}
        for word in words:
            value = word.partition("=")[2]
            if word.startswith("-backend-config=") and "=" in value:
                name, _, text = value.partition("=")
                found[name] = text
            elif word.startswith("-backend-config="):
                found |= dict(re.findall(r'(?m)^(\w+) *= "([^"]*)"', (folder / value).read_text("utf-8")))
        try:
            self.aws.client("s3", found["region"]).head_bucket(Bucket=found["bucket"])
        except Exception as error:
            raise Refused(f"no bucket for a state: {found}: {error}") from error
        return found["bucket"], found["key"], found["region"]

    def _values(self, folder: Path, words: list[str], environment: dict[str, str]) -> dict[str, str]:
        text = "".join(path.read_text("utf-8") for path in folder.glob("*.tf"))
        declared = dict(re.findall(r'(?ms)^variable "(\w+)" \{\n(.*?)^\}', text))
        values: dict[str, str] = {}
        for place, word in enumerate(words):
            if word == "-var":
                name, _, value = words[place + 1].partition("=")
                values[name] = value
            elif word.startswith("-var-file="):
                file = (folder / word.removeprefix("-var-file=")).read_text("utf-8")
                file = re.sub(r"(?ms)<<PEM\n.*?^PEM$", "one", file)
                values |= dict(re.findall(r"(?ms)^(\w+) *= *(.*?)$", file))
        if environment.get("TF_VAR_database_password") == "":
            raise Refused("TF_VAR_database_password is empty")
        # staging takes what it does not know with a warning; a second file of values for it would be lost.
        if set(values) - set(declared):
            raise Refused(f"{folder.name} has no {sorted(set(values) - set(declared))}")
        needed = {name for name, body in declared.items() if not re.search(r"(?m)^  default ", body)}
        given = {name.removeprefix("TF_VAR_") for name in environment if name.startswith("TF_VAR_")}
        if needed - set(values) - given:
            raise Refused(f"No value for required variable: {sorted(needed - set(values) - given)}")
        empty = [
            name for name, value in values.items() if value.split("#")[0].strip() in ("", '""', "[]", '[""]')
        ]
        if empty:
            raise Refused(f"nothing was put into {empty}")
        return values

    def _made(self, folder: Path, values: dict[str, str], region: str) -> None:
        """What later commands of the document ask for; made once."""
        if folder.name == "global":
            registries = [
                region,
                *re.findall(r'name = "([a-z]+-[a-z]+-\d)"', values.get("second_region", "")),
            ]
            for each in registries:
                registry = self.aws.client("ecr", each)
                if not registry.describe_repositories()["repositories"]:
                    registry.create_repository(repositoryName="exchange")
        elif folder.name in ("production", "staging"):
            name = values.get("name", f'"exchange-{folder.name}"').strip('" ')
            database = self.aws.client("rds", region)
            if not [
                each
                for each in database.describe_db_clusters()["DBClusters"]
                if each["DBClusterIdentifier"] == name
            ]:
                database.create_db_cluster(
                    DBClusterIdentifier=name, Engine="aurora-postgresql", MasterUsername="exchange",
                    MasterUserPassword="drawn-by-nobody",
                )  # fmt: skip
                people = self.aws.client("iam", region)
                for account in ("engine", "archive"):
                    people.create_role(RoleName=f"{name}-{account}", AssumeRolePolicyDocument="{}")
                for kind in ("archive", "snapshots", "web"):
                    self.aws.client("s3", region).create_bucket(
                        Bucket=f"{name}-123456789012-{region}-{kind}",
                        CreateBucketConfiguration={"LocationConstraint": region},
                    )
                for index in range(3):
                    database.create_db_instance(
                        DBInstanceIdentifier=f"{name}-{index}", DBClusterIdentifier=name,
                        Engine="aurora-postgresql", DBInstanceClass="db.r8g.large",
                    )  # fmt: skip

    def _output(self, name: str, folder: Path, bucket: str, key: str) -> str:
        if (bucket, key) not in self.states:
            raise Refused(f"{bucket}/{key} has no outputs yet")
        region = self.states[bucket, key]
        if name == "helm_values":
            return (ROOT / "helm" / "exchange" / "ci" / "handover.yaml").read_text("utf-8")
        if name == "application_key":
            return f"arn:aws:kms:{region}:111122223333:key/mrk-1"
        told: dict[str, Any] = {
            "repositories": {"exchange": f"111122223333.dkr.ecr.{region}.amazonaws.com/exchange"},
            "issuers": [f"https://cognito-idp.{region}.amazonaws.com/{region}_1"],
            "audiences": ["web"],
            "replica": {
                "bucket_arns": {"archive": "arn:a"},
                "kms_key_arn": f"arn:aws:kms:{region}:1:key/data",
            },
            "frontend": {"bucket": f"exchange-production-123456789012-{region}-web"},
            "platform": {"prometheus_endpoint": "https://aps.example/workspaces/ws-1/"},
            "name_servers": ["ns-1.awsdns-1.org"],
        }
        return json.dumps(told[name])


@contextmanager
def played(estate: Estate, folder: Path) -> Iterator[dict[str, str]]:
    """The variables with which a shell finds the played programs; they are in `folder`."""

    class Handler(socketserver.StreamRequestHandler):
        def hear(self) -> Any:
            return marshal.loads(self.rfile.read(int.from_bytes(self.rfile.read(4), "big")))

        def tell(self, thing: Any) -> None:
            whole = marshal.dumps(thing)
            self.wfile.write(len(whole).to_bytes(4, "big") + whole)

        def piped(self) -> bytes:
            self.tell({"reads": True})
            found: bytes = self.hear()
            return found

        def handle(self) -> None:
            asked = self.hear()
            program, *words = asked["words"]
            told = Told(
                words, Path(asked["folder"]), asked["environment"], self.piped,
                is_shown=asked["is_shown"], is_asked=asked["is_asked"],
            )  # fmt: skip
            answer: dict[str, Any] = {"code": 0, "said": "", "wrong": ""}
            try:
                answer["said"] = estate.answer(program, told)
            except Exception as error:  # whatever it is, the command has failed with it
                wrong = f"{program} {' '.join(words)[:200]}: {type(error).__name__}: {error}\n"
                answer |= {"code": 1, "wrong": wrong}
            self.tell(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        script = _SCRIPT.format(python=sys.executable, port=server.server_address[1])
        for program in PLAYED:
            (folder / program).write_text(script, encoding="utf-8")
            (folder / program).chmod(0o755)
        yield {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder)}
        server.shutdown()
