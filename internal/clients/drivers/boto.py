# A driver of boto3, whatever version this Python has. doc.go tells how drivers
# are spoken to.
import base64
import json
import os
import sys
from datetime import datetime, timezone

import boto3
from botocore import exceptions, xform_name

# Versions before 1.28 know no AWS_ENDPOINT_URL.
ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
gamelift = boto3.client("gamelift", endpoint_url=ENDPOINT)


def plain(value):
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat()
    if isinstance(value, bytes):
        return value.decode()
    raise TypeError(type(value))


def upload_build(root, archive, name, version, system):
    made = gamelift.create_build(Name=name, Version=version, OperatingSystem=system)
    build = made["Build"]["BuildId"]
    ask = gamelift.request_upload_credentials(BuildId=build)
    key, place = ask["UploadCredentials"], ask["StorageLocation"]
    s3 = boto3.client(
        "s3",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        aws_session_token=key["SessionToken"],
        endpoint_url=ENDPOINT,
    )
    s3.upload_file(archive, place["Bucket"], place["Key"])  # in parts above 8 MiB
    return {"BuildId": build}


def put_object(given):
    s3 = boto3.client("s3", endpoint_url=ENDPOINT)
    with open(given["File"], "rb") as body:
        s3.put_object(Bucket=given["Bucket"], Key=given["Key"], Body=body)
    return {}


def call(op, given, pages):
    if op == "PutObject":
        return put_object(given)
    if "ZipFile" in given:
        given["ZipFile"] = base64.b64decode(given["ZipFile"])
    if op == "UploadBuild":
        return upload_build(given["Root"], given["Zip"], given["Name"], given["Version"], given["OperatingSystem"])
    name = xform_name(op)
    if not hasattr(gamelift, name):
        raise Unknown(op)
    if pages:
        return gamelift.get_paginator(name).paginate(**given).build_full_result()
    out = getattr(gamelift, name)(**given)
    out.pop("ResponseMetadata")
    return out


class Unknown(Exception):
    pass


def answer(line):
    ask = json.loads(line)
    if ask["op"] == "Skew":
        return {"unknown": "a wrong clock: botocore does not correct it"}
    try:
        return {"out": call(ask["op"], ask["in"], ask.get("pages"))}
    except exceptions.ClientError as e:
        return {"error": {"code": e.response["Error"]["Code"], "message": e.response["Error"]["Message"]}}
    except exceptions.ParamValidationError as e:
        if "Unknown parameter" in str(e):
            return {"unknown": str(e)}
        return {"error": {"code": "ParamValidationError", "message": str(e)}}
    except Unknown as e:
        return {"unknown": str(e)}


for line in sys.stdin:
    print(json.dumps(answer(line), default=plain), flush=True)
