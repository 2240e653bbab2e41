"""A Terraform provider that knows the AWS provider's schema and nothing else.

Terraform starts it as `terraform-provider-aws` (see `install.py`). It answers what `validate` and `test` with
`mock_provider` ask: the schema, and "fine" to every check that only the real provider could make. It never
plans, reads or creates anything: those calls end in an error that says so.

Runs in an environment of its own (`requirements.lock` beside this file), hence no import from the project.
`python plugin.py compile SCHEMA.json SCHEMA.zip` prepares what `python plugin.py serve SCHEMA.zip` serves.
With AWS_SCHEMA_TYPES=aws_s3_bucket,… it serves these types alone, which is quicker. A type that is not served
is as unknown as one that is not there.

Terraform starts a provider many times in a test. `python plugin.py attach SCHEMA.zip SOCKET` serves all of
them from one process, to which TF_REATTACH_PROVIDERS sends Terraform: a fifth of the time for a small module.
"""

import base64
import datetime
import json
import os
import sys
import tempfile
import threading
import zipfile
from concurrent import futures
from pathlib import Path
from typing import Any, Final

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tf.gen import grpc_controller_pb2 as controller
from tf.gen import grpc_controller_pb2_grpc as controller_rpc
from tf.gen import grpc_stdio_pb2_grpc as stdio_rpc
from tf.gen import tfplugin_pb2 as protocol
from tf.gen import tfplugin_pb2_grpc as protocol_rpc

_CORE_PROTOCOL: Final = 1
_PLUGIN_PROTOCOL: Final = 6
_THREADS: Final = 4
# Terraform ends its plugins; one that was forgotten ends itself.
_LIFETIME_S: Final = 900.0
_NESTING: Final = {
    name: protocol.Schema.NestedBlock.NestingMode.Value(name.upper())
    for name in ("single", "list", "set", "map")
}


def _is_open(block: dict[str, Any]) -> bool:
    """Whether a type below is not known: Terraform refuses that inside a set."""
    return any("dynamic" in json.dumps(a["type"]) for a in block["attributes"].values()) or any(
        _is_open(nested["block"]) for nested in block["blocks"].values()
    )


def schema_block(block: dict[str, Any]) -> Any:
    """Turn one block of the extracted schema into the protocol's message."""
    message = protocol.Schema.Block()
    for name, attribute in block["attributes"].items():
        message.attributes.append(
            protocol.Schema.Attribute(
                name=name,
                type=json.dumps(attribute["type"]).encode(),
                required=attribute["required"],
                optional=attribute["optional"],
                computed=attribute["computed"],
            )
        )
    for name, nested in block["blocks"].items():
        nesting = "list" if nested["nesting"] == "set" and _is_open(nested["block"]) else nested["nesting"]
        message.block_types.append(
            protocol.Schema.NestedBlock(
                type_name=name,
                block=schema_block(nested["block"]),
                nesting=_NESTING[nesting],
                min_items=nested["min"],
                max_items=nested["max"],
            )
        )
    return message


def compile_schema(schema: dict[str, Any], target: Path) -> None:
    """Write each type's schema as a file of its own, in the bytes of the protocol."""
    with zipfile.ZipFile(target, "w") as archive:

        def write(name: str, block: dict[str, Any]) -> None:
            archive.writestr(name, protocol.Schema(block=schema_block(block)).SerializeToString())

        write("provider", schema["provider"])
        for kind in ("resources", "data"):
            for name, block in schema[kind].items():
                write(f"{kind}/{name}", block)


def schema_response(source: Path, types: frozenset[str]) -> Any:
    """The answer to GetProviderSchema, of these types or, if there are none, of all."""
    response = protocol.GetProviderSchema.Response()
    # Terraform may keep what it was told once.
    response.server_capabilities.get_provider_schema_optional = True
    targets = {"resources": response.resource_schemas, "data": response.data_source_schemas}
    with zipfile.ZipFile(source) as archive:
        response.provider.ParseFromString(archive.read("provider"))
        for member in archive.namelist():
            kind, _, name = member.partition("/")
            if name and (not types or name in types):
                targets[kind][name].ParseFromString(archive.read(member))
    return response


class SchemaProvider(protocol_rpc.ProviderServicer):  # type: ignore[misc]
    """Serves the schema; whatever else is asked of it is unimplemented, in gRPC's own words."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def GetProviderSchema(self, request: Any, context: Any) -> Any:
        return self._response

    def ValidateProviderConfig(self, request: Any, context: Any) -> Any:
        return protocol.ValidateProviderConfig.Response()

    def ValidateResourceConfig(self, request: Any, context: Any) -> Any:
        return protocol.ValidateResourceConfig.Response()

    def ValidateDataResourceConfig(self, request: Any, context: Any) -> Any:
        return protocol.ValidateDataResourceConfig.Response()

    def UpgradeResourceState(self, request: Any, context: Any) -> Any:
        # `test` hands the state of one run block to the next.
        return protocol.UpgradeResourceState.Response(
            upgraded_state=protocol.DynamicValue(json=request.raw_state.json)
        )

    def GetFunctions(self, request: Any, context: Any) -> Any:
        return protocol.GetFunctions.Response()

    def StopProvider(self, request: Any, context: Any) -> Any:
        return protocol.StopProvider.Response()


class Controller(controller_rpc.GRPCControllerServicer):  # type: ignore[misc]
    """Terraform's way to end a plugin."""

    def __init__(self, ended: threading.Event) -> None:
        self._ended = ended

    def Shutdown(self, request: Any, context: Any) -> Any:
        self._ended.set()
        return controller.Empty()


class Stdio(stdio_rpc.GRPCStdioServicer):  # type: ignore[misc]
    """Terraform asks for the plugin's output; this one has none."""

    def StreamStdio(self, request: Any, context: Any) -> Any:
        return iter(())


def certificate() -> tuple[bytes, grpc.ServerCredentials]:
    """A key for this process alone: (DER for Terraform's handshake, credentials of the server)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = signed.public_bytes(serialization.Encoding.PEM)
    return signed.public_bytes(serialization.Encoding.DER), grpc.ssl_server_credentials([(private, public)])


def server_of(response: Any, ended: threading.Event) -> grpc.Server:
    """All that Terraform asks a provider, not yet listening. `ended` is set when it is told to end."""
    server = grpc.server(futures.ThreadPoolExecutor(_THREADS), options=[("grpc.max_send_message_length", -1)])
    protocol_rpc.add_ProviderServicer_to_server(SchemaProvider(response), server)
    controller_rpc.add_GRPCControllerServicer_to_server(Controller(ended), server)
    stdio_rpc.add_GRPCStdioServicer_to_server(Stdio(), server)
    return server


def attach(response: Any, socket: str) -> None:
    """Say "ready" on standard output, then serve on the socket until standard input ends."""
    server = server_of(response, threading.Event())
    server.add_insecure_port(f"unix://{socket}")
    server.start()
    print("ready", flush=True)
    sys.stdin.read()
    server.stop(grace=0.2).wait(1.0)


def serve(response: Any) -> None:
    """Say the handshake of go-plugin on standard output, then serve until told to end."""
    ended = threading.Event()
    server = server_of(response, ended)
    with tempfile.TemporaryDirectory() as folder:
        socket = f"{folder}/plugin.sock"
        der, credentials = certificate()
        server.add_secure_port(f"unix://{socket}", credentials)
        server.start()
        handshake = (_CORE_PROTOCOL, _PLUGIN_PROTOCOL, "unix", socket, "grpc")
        print(*handshake, base64.b64encode(der).decode().rstrip("="), sep="|", flush=True)
        ended.wait(_LIFETIME_S)
        server.stop(grace=0.2).wait(1.0)


def main(arguments: list[str]) -> None:
    """`compile IN OUT`, `serve FILE` or `attach FILE SOCKET`."""
    types = frozenset(filter(None, os.environ.get("AWS_SCHEMA_TYPES", "").split(",")))
    match arguments:
        case ["compile", source, target]:
            compile_schema(json.loads(Path(source).read_text(encoding="utf-8")), Path(target))
        case ["serve", source]:
            serve(schema_response(Path(source), types))
        case ["attach", source, socket]:
            attach(schema_response(Path(source), types), socket)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
