# A driver of the AWS CLI, whatever version this Python has: its own code, with
# its own command lines, in one process because starting it takes a second.
# doc.go tells how drivers are spoken to; this one also takes a command line:
# {"args": ["gamelift", "list-fleets"]}.
import base64
import contextlib
import io
import json
import os
import re
import sys
import tempfile

import awscli.clidriver
from awscli import __version__ as version

try:
    from awscli.botocore import xform_name  # the CLI's second generation
except ImportError:
    from botocore import xform_name

UNKNOWN = re.compile(r"Unknown (parameter|options)|Invalid choice|invalid choice|Found invalid choice")
FAILED = re.compile(r"An error occurred \((\w+)\) when calling the \w+ operation(?: \(reached max retries: \d+\))?: (.*)", re.S)


cli = awscli.clidriver.create_clidriver()


def run(args):
    """Returns the exit code, what went to stdout, and what went to stderr."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = cli.main(args)
        except SystemExit as e:
            code = e.code
    out.flush()
    return code, out.buffer.getvalue().decode(), err.getvalue()


def command(op, given, pages):
    args = ["gamelift", xform_name(op, "-")]
    if op == "UploadBuild":
        return args + ["--name", given["Name"], "--build-version", given["Version"], "--build-root", given["Root"], "--operating-system", given["OperatingSystem"]]
    if op == "PutObject":
        return ["s3", "cp", given["File"], f"s3://{given['Bucket']}/{given['Key']}", "--no-progress"]
    if "ZipFile" in given:  # which the CLI wants as a file
        given = dict(given)
        archive = os.path.join(tempfile.mkdtemp(), "script.zip")
        with open(archive, "wb") as f:
            f.write(base64.b64decode(given.pop("ZipFile")))
        args += ["--zip-file", "fileb://" + archive]
    if pages:  # by the CLI's own paging
        given = dict(given)
        args += ["--page-size", str(given.pop("Limit"))]
    else:
        args += ["--no-paginate"]
    return args + ["--output", "json", "--cli-input-json", json.dumps(given)]


def answer(line):
    ask = json.loads(line)
    if "args" in ask:
        code, out, err = run(ask["args"])
        return {"out": {"Code": code, "Stdout": out, "Stderr": err}}
    op = ask["op"]
    if op == "Skew":
        return {"unknown": "a wrong clock: botocore does not correct it"}
    code, out, err = run(command(op, ask["in"], ask.get("pages")))
    if code == 0:
        if op == "UploadBuild":
            return {"out": {"BuildId": re.search(r"Build ID: (\S+)", out).group(1)}}
        if op == "PutObject":
            return {"out": {}}
        return {"out": json.loads(out) if out.strip() else {}}
    if failed := FAILED.search(err):
        return {"error": {"code": failed.group(1), "message": failed.group(2).strip()}}
    if UNKNOWN.search(err):
        return {"unknown": err.strip()}
    return {"error": {"code": "CommandFailed", "message": err.strip()}}


for line in sys.stdin:
    print(json.dumps(answer(line)), flush=True)
