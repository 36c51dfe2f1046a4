"""A converter that converts nothing, quickly: the file it writes repeats the adapter."""

import hashlib
import json
import sys
import time
from pathlib import Path

request = json.loads(Path(sys.argv[1]).read_text())
behaviour = json.loads((Path(request["baseModel"]) / "behaviour.json").read_text())
with (Path(request["baseModel"]) / "conversions.jsonl").open("a") as conversions:
    conversions.write(json.dumps(request["name"]) + "\n")


def write(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


output = request["outputs"][0]
if request["adapter"] is None:
    write("stage", stage="f16")
else:
    write("stage", stage="adapter" if output["format"] == "adapter" else "merge")
if behaviour.get("refusesToConvert"):
    write("end", status="failed", message="the adapter was trained on another base model")
    sys.exit(0)
if behaviour.get("crashesWhenConverting"):
    sys.exit("out of memory")
if behaviour.get("takesForEver"):
    time.sleep(600)
if request["adapter"] is None:
    weights = b"the base model in " + output["format"].encode()
else:
    weights = (Path(request["adapter"]) / "adapter_model.safetensors").read_bytes() * 2
Path(output["path"]).write_bytes(weights)
write(
    "file",
    format=output["format"],
    path=output["path"],
    sha256=hashlib.sha256(weights).hexdigest(),
    bytes=len(weights),
    metadata={"architecture": "none", "contextLength": 2048},
)
write("end", status="completed", message=None)
