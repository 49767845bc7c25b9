#!/usr/bin/env python3
"""Runs the end-to-end tests: run.py [-k PATTERN] [-j N] [--mox PATH] [--list]

Each test runs in a process of its own with its own temporary folder and its own block of
loopback addresses. A supervisor beside it kills whatever is left of it at the end, also
after a time-out. Last line: "e2e: N passed, N failed[, N skipped]"."""
import argparse
import concurrent.futures
import glob
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from lib.context import Context, Skip  # noqa: E402
from lib.reap import adopt_orphans, end_with_parent, kill_rest  # noqa: E402

DEFAULT_TIMEOUT = 90


def load(path):
    name = os.path.basename(path)[:-3]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def collect(pattern):
    """[(file, function name, time-out, weight)] of the tests that match, long ones first."""
    tests = []
    for path in sorted(glob.glob(os.path.join(HERE, "test_*.py"))):
        module = load(path)
        for name, fn in vars(module).items():
            if not name.startswith("test_") or not callable(fn):
                continue
            full = "%s.%s" % (os.path.basename(path)[5:-3], name[5:])
            if pattern and pattern not in full:
                continue
            tests.append((full, path, name, getattr(fn, "timeout", DEFAULT_TIMEOUT)))
    tests.sort(key=lambda t: -t[3])
    return tests


def unmount_below(folder):
    with open("/proc/mounts") as f:
        for line in f:
            point = line.split()[1]
            if point.startswith(folder + "/"):
                subprocess.run(["umount", "-l", point], check=False, capture_output=True)


def run_test(path, name, tmp, mox):
    """In the test's own process: its outcome as a dictionary."""
    ctx = Context(tmp, mox)
    out = {"passed": 0, "failed": [], "skipped": None}
    try:
        fn = getattr(load(path), name)
        if getattr(fn, "needs_root", False) and os.getuid() != 0:
            raise Skip("needs root")
        fn(ctx)
        ctx.finish()
        out["passed"] = 1 if not ctx.cases else 0
    except Skip as s:
        out["skipped"] = str(s)
    except BaseException:
        out["failed"].append(traceback.format_exc(limit=-6))
    for case, problem in ctx.cases:
        if problem:
            out["failed"].append("case %s: %s" % (case, problem))
        else:
            out["passed"] += 1
    out["logs"] = ctx.log_files()
    return out


def supervise(path, name, tmp, mox, timeout):
    """Prints the outcome as JSON on the last line."""
    end_with_parent()
    adopt_orphans()

    def interrupted(number, frame):
        kill_rest()
        unmount_below(tmp)
        shutil.rmtree(tmp, ignore_errors=True)
        os._exit(1)

    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGINT, interrupted)
    result = os.path.join(tmp, "result.json")
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        out = run_test(path, name, tmp, mox)
        with open(result, "w") as f:
            json.dump(out, f)
        os._exit(0)
    end, gone = time.monotonic() + timeout, False
    while time.monotonic() < end and not gone:
        gone = os.waitpid(pid, os.WNOHANG)[0] == pid
        time.sleep(0.01)
    kill_rest()
    unmount_below(tmp)
    try:
        with open(result) as f:
            out = json.load(f)
    except (OSError, ValueError):
        logs = glob.glob(os.path.join(tmp, "**/*log"), recursive=True)
        out = {"passed": 0, "skipped": None, "logs": logs, "failed": [
            "ended without a result" if gone else "not done within %d s" % timeout]}
    print("\n" + json.dumps(out))


def tails(files):
    text = ""
    for path in files:
        try:
            with open(path, errors="replace") as f:
                lines = f.read().splitlines()[-25:]
        except OSError:
            continue
        if lines:
            text += "    --- %s\n" % path + "".join("    %s\n" % l[:400] for l in lines)
    return text


def run_one(test, args):
    full, path, name, timeout = test
    tmp = tempfile.mkdtemp(prefix="mox-e2e-")
    os.chmod(tmp, 0o755)
    argv = [sys.executable, os.path.abspath(__file__), "--mox", args.mox, "--supervise", path,
            name, tmp, str(timeout * float(os.environ.get("E2E_SLOW", "1")))]
    start = time.monotonic()
    r = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
    try:
        out = json.loads(r.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        out = {"passed": 0, "skipped": None, "logs": [],
               "failed": ["the supervisor failed: %s%s" % (r.stdout, r.stderr)]}
    out["name"], out["seconds"] = full, time.monotonic() - start
    out["output"] = "\n".join(r.stdout.splitlines()[:-1]).strip()
    out["tails"] = tails(out["logs"]) if out["failed"] else ""
    if out["failed"] and args.keep:
        out["tails"] += "    kept: %s\n" % tmp
    else:
        shutil.rmtree(tmp, ignore_errors=True)
    return out


def show(out, verbose):
    if out["skipped"]:
        print("skip %s: %s" % (out["name"], out["skipped"]))
    elif out["failed"]:
        print("FAILED %s (%.1f s)" % (out["name"], out["seconds"]))
        for problem in out["failed"]:
            print("  " + problem.strip().replace("\n", "\n  "))
        if out["output"]:
            print("  output: " + out["output"].replace("\n", "\n  "))
        print(out["tails"], end="")
    elif verbose:
        print("ok %s (%.1f s, %d)" % (out["name"], out["seconds"], out["passed"]))
    sys.stdout.flush()


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("-k", default="", metavar="PATTERN", help="only tests with this in the name")
    ap.add_argument("-j", type=int, default=2, metavar="N", help="tests side by side")
    ap.add_argument("--mox", default=os.path.join(HERE, "../../mox"), help="the binary")
    ap.add_argument("-v", action="store_true", help="a line for every test")
    ap.add_argument("--keep", action="store_true", help="keep the folders of failed tests")
    ap.add_argument("--list", action="store_true", help="names only")
    ap.add_argument("--supervise", nargs=4, help=argparse.SUPPRESS)
    args = ap.parse_args()
    args.mox = os.path.abspath(args.mox)
    for build, factor in (("build-asan", "3"), ("build-tsan", "6")):
        if build in args.mox:
            os.environ.setdefault("E2E_SLOW", factor)
    if args.supervise:
        path, name, tmp, timeout = args.supervise
        return supervise(path, name, tmp, args.mox, float(timeout))
    tests = collect(args.k)
    if args.list:
        print("\n".join(t[0] for t in tests))
        return 0
    if not os.access(args.mox, os.X_OK):
        print("e2e: no binary at %s (make)" % args.mox, file=sys.stderr)
        return 2
    passed = failed = skipped = 0
    with concurrent.futures.ThreadPoolExecutor(max(1, args.j)) as pool:
        for out in concurrent.futures.as_completed([pool.submit(run_one, t, args) for t in tests]):
            out = out.result()
            show(out, args.v)
            passed += out["passed"]
            failed += len(out["failed"])
            skipped += 1 if out["skipped"] else 0
    print("e2e: %d passed, %d failed%s" % (passed, failed,
                                           ", %d skipped" % skipped if skipped else ""))
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
