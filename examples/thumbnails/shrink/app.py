"""Makes pictures small when the bucket tells of them, and serves the page that sends and shows them."""

import base64
import json
import os
import urllib.parse
import uuid

import picture
import s3

PAGE = """<!doctype html><meta charset=utf-8><title>Thumbnails</title><h1>Thumbnails</h1>
<input type=file accept=image/png><p id=out></p>
<script>
document.querySelector("input").onchange = async ({target}) => {
  const sent = await fetch("", {method: "POST", body: target.files[0]});
  const told = await sent.json();
  if (!sent.ok) return void (out.textContent = told.error);
  out.textContent = "being made small …";
  for (let tries = 0; tries < 50; tries++) {
    const made = await fetch(told.name);
    if (made.ok) {
      const image = new Image();
      image.src = URL.createObjectURL(await made.blob());
      return out.replaceChildren(image);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  out.textContent = "it did not come; see the function's log";
};
</script>"""


def handler(event, context):
    if "Records" in event:
        for record in event["Records"]:
            told = record["s3"]
            shrink(told["bucket"]["name"], urllib.parse.unquote_plus(told["object"]["key"]))
        return None
    request = event["requestContext"]["http"]
    if request["method"] == "POST":
        return upload(event)
    name = request["path"].rpartition("/")[2]
    return show(name) if name else answer(200, "text/html; charset=utf-8", PAGE.encode())


def shrink(bucket, key):
    status, image = s3.call("GET", bucket, key)
    if status == 404:
        return  # It was deleted since: nobody misses its thumbnail.
    if status != 200:
        raise RuntimeError(f"{key} cannot be read ({status}): {image.decode(errors='replace')}")
    try:
        small = picture.shrink(image)
    except picture.Unreadable as why:
        print(f"{key} is left alone: {why}")
        return
    target = "thumbnails/" + key.removeprefix("uploads/")
    status, told = s3.call("PUT", bucket, target, small)
    if status != 200:
        raise RuntimeError(f"{target} cannot be written ({status}): {told.decode(errors='replace')}")
    print(f"{key} became {target}: {len(image)} bytes became {len(small)}")


def upload(event):
    body = event.get("body") or ""
    image = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    if not image.startswith(picture.SIGNATURE):
        return answer(400, "application/json", json.dumps({"error": "Send a PNG."}).encode())
    name = f"{uuid.uuid4()}.png"
    status, _ = s3.call("PUT", os.environ["BUCKET"], f"uploads/{name}", image)
    told = {"name": name} if status == 200 else {"error": f"The bucket refused ({status})."}
    return answer(201 if status == 200 else 502, "application/json", json.dumps(told).encode())


def show(name):
    status, image = s3.call("GET", os.environ["BUCKET"], f"thumbnails/{name}")
    return answer(status, "image/png" if status == 200 else "application/xml", image)


def answer(status, kind, body):
    headers = {"content-type": kind}
    return {"statusCode": status, "headers": headers, "isBase64Encoded": True, "body": base64.b64encode(body).decode()}
