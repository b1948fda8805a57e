"""`make recorded DATA=../shared [SEED=n | SEEDS=0,1,2] [KINDS=InjectContext] [CONTROL=wrong-key]`.

For every seed: the recorded agent's train traces become OTLP files, the operator on a real API server runs the loop on
them, and the version that it promotes is scored on all test questions of that split, which no stage has seen. The
version is read from the pointer ConfigMap, mounted as a pod would mount it, and rendered per case by `ninefold.client`.

Progress goes to standard error. The last line of standard output is one JSON object with the figures (`score.Figures`);
with several seeds there is a line for each before it, and the last pools them. `--control wrong-key` also puts the
run's own control arm (facts under another stratum's key) through the gate as if it were the candidate.

Exit codes: 0 every run promoted; 1 one promoted nothing, or the control would have been promoted; 2 DATA is not there,
or --keep is not empty; 130 interrupted.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from harness.follow import NotClosed
from harness.kubectl import KubectlError
from harness.local import LocalCluster
from recorded.agent import NoData, RecordedAgent
from recorded.bench import Bench
from recorded.control import wrong_key_verdict
from recorded.score import Figures, pooled


def main() -> int:
    options = _options()
    try:
        agent = RecordedAgent.below(options.data)
    except NoData as error:
        print(error, file=sys.stderr)
        return 2
    if options.keep and options.keep.exists() and any(options.keep.iterdir()):
        print(f"--keep {options.keep}: the directory is not empty", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="ninefold-recorded-") as scratch:
        directory = options.keep or Path(scratch)
        try:
            with LocalCluster(directory, _say) as cluster:
                return _all_seeds(cluster, agent, options)
        except KeyboardInterrupt:
            print("interrupted; nothing is left running", file=sys.stderr)
            return 130


def _all_seeds(cluster: LocalCluster, agent: RecordedAgent, options: argparse.Namespace) -> int:
    bench = Bench(cluster, agent, options.kinds, options.deadline, _say)
    rows: list[Figures] = []
    good = True
    for seed in options.seeds:
        try:
            row, run = bench.run(seed)
            if options.control:
                verdict = wrong_key_verdict(
                    cluster.kubectl.within(run["metadata"]["namespace"]), run, cluster.redis.url
                )
                _say(f"seed {seed}: wrong key, judged as a candidate: passed={verdict.passed}: {verdict.message}")
                good = good and not verdict.passed
        except (NotClosed, KubectlError) as error:
            print(f"seed {seed}: {error}", file=sys.stderr)
            good = False
            continue
        rows.append(row)
        if len(options.seeds) > 1:
            print(json.dumps(row.as_dict()), flush=True)
    if rows:
        print(json.dumps((pooled(rows) if len(options.seeds) > 1 else rows[0]).as_dict()))
    return 0 if good else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="recorded", description="Optimize a recorded agent and score the result.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds recorded/ and data/")
    parser.add_argument("--seeds", type=_numbers, default=[0], help="splits, such as 0 or 0,1,2")
    parser.add_argument("--kinds", type=_words, default=[], help="the only kinds of edits that may be proposed")
    parser.add_argument("--control", choices=["wrong-key"], help="also judge this control as if it were a candidate")
    parser.add_argument("--deadline", type=float, default=900, help="seconds within which each run must end")
    parser.add_argument("--keep", type=Path, help="directory for logs and data, kept afterwards")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(word) for word in _words(text)]


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _say(line: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
