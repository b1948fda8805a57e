"""One side of the benchmark, in a process of its own: what reading a folder of OTLP-JSON to parts costs. Prints JSON.

It imports of `ninefold` what every release of it has had, so that another checkout can be a side.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path

import orjson

from ninefold.api.inputs import RunInputs
from ninefold.jobs.keeping import MemoryParts
from ninefold.jobs.reading import Reading, read_window
from ninefold.traces import open_backend


def main() -> None:
    folder, inputs = Path(sys.argv[1]), RunInputs.model_validate_json(sys.argv[2])
    began = time.process_time()
    for path in sorted(folder.iterdir()):
        with path.open("rb") as lines:
            for line in lines:
                orjson.loads(line)
    parsed = time.process_time() - began
    _read(folder.with_name("warm"), inputs)  # what is loaded once is not counted
    began, wall = _spent(), time.perf_counter()
    found = _read(folder, inputs)
    said = {
        "cpu_seconds": _spent() - began,
        "seconds": time.perf_counter() - wall,
        "parse_cpu_seconds": parsed,
        "traces": found.traces,
        "parts": [head.sha256 for head in found.heads],
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(said))


def _spent() -> float:
    """Seconds of CPU of this process and of those that it has ended, such as the engine's."""
    return sum(os.times()[:4])


def _read(folder: Path, inputs: RunInputs) -> Reading:
    return read_window(open_backend(inputs.backend, folder, {}), inputs, MemoryParts())


if __name__ == "__main__":
    main()
