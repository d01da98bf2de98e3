"""The bad-input table, file upload: blob names, tampered signatures, bodies and notifications that are wrong."""

import asyncio
import urllib.parse
from pathlib import Path

import pytest

from raw_bystander import bystander
from raw_http import Http, by_device, call


async def ticket(device, name, expect=200):
    """An upload's ticket, or the answer when it is refused."""
    answer = await by_device(device, "POST", "files", {"blobName": name}, Content_Type="application/json")
    if expect is None:
        return answer
    assert answer.status == expect, (name, answer)
    return answer.json


def address(given, **changes):
    """The path and query of the blob as a client makes them; the changes replace parts of the SAS."""
    query = given["sasToken"].lstrip("?")
    for name, value in changes.items():
        parts = [part for part in query.split("&") if part.split("=")[0] != name]
        query = "&".join([*parts, f"{name}={value}"] if value is not None else parts)
    return f"/{given['containerName']}/{urllib.parse.quote(given['blobName'])}?{query}"


async def put(hub, where, content, **headers):
    return await call(hub, "PUT", where, content, x_ms_blob_type="BlockBlob", x_ms_version="2021-08-06", **headers)


async def get(hub, given):
    return await call(hub, "GET", address(given))


async def notify(device, correlation, success=True):
    body = {"correlationId": correlation, "isSuccess": success, "statusCode": 200, "statusDescription": ""}
    return await by_device(device, "POST", "files/notifications", body, Content_Type="application/json")


async def uploaded(device, name, content):
    given = await ticket(device, name)
    answer = await put(device.hub, address(given), content)
    assert answer.status == 201, answer
    return given


def holders(hub, content):
    """The files that hold these bytes, in the hub's data directory and around it."""
    return [path.relative_to(hub.data) if hub.data in path.parents else path
            for path in hub.data.parent.rglob("*") if path.is_file() and content in path.read_bytes()]


# The name in the ticket's request (JSON) is refused, or it is only a name below the device's own.
NAMES = ["../{other}/file", "../../../../tmp/escaped", "..", ".", "a/../../{other}/file", "a/../../../x",
         "/etc/escaped", "//host/share",
         "..\\{other}\\file", "C:\\escaped", "\\\\host\\share", "%2e%2e/{other}/file", "%2e%2e%2f{other}%2ffile",
         "%252e%252e/x",
         "a\0b", "a\nb", "a\r\nSet-Cookie: x", "\x7f", "file.", "file ", "CON", "a//b", "a/./b", "x" * 1025,
         "ä/€/😀",
         "?sig=x", "#x", "&a=b",
         ".lock", "~/x", "a\u2024\u2024/b", "\u202egpj.exe"]


async def test_no_blob_name_leads_out_of_the_devices_own_place(hub, device):
    other = hub.device(device.id + "-x")
    async with bystander(hub):
        theirs = await uploaded(other, "file", b"of somebody else")
        home = {path.parts[0] for path in holders(hub, b"of somebody else")}
        for number, name in enumerate(NAMES):
            name = name.replace("{other}", other.id)
            answer = await ticket(device, name, expect=None)
            if answer.status == 400:
                assert answer.json["Message"].startswith("ErrorCode:"), (name, answer)
                continue
            assert answer.status == 200, (name, answer)
            given = answer.json
            assert given["blobName"] == f"{device.id}/{name}", (name, given)
            mark = f"marked {number} of {device.id}".encode()
            answer = await put(hub, address(given), mark)
            assert answer is None or answer.status in (201, 400, 403, 404), (name, answer)
            for path in holders(hub, mark):
                assert path.parts[0] in home and not path.is_absolute(), f"{name!r} led to {path}"
            assert not any(Path(path).exists() for path in ("/etc/escaped", "/tmp/escaped")), name
            if answer and answer.status == 201:
                assert (await get(hub, given)).body == mark, name
            await notify(device, given["correlationId"], success=False)
        assert (await get(hub, theirs)).body == b"of somebody else"


async def test_no_spelling_of_a_path_leads_elsewhere_with_a_good_signature(hub, device):
    other = hub.device(device.id + "-x")
    async with bystander(hub):
        theirs = await uploaded(other, "file", b"theirs")
        given = await uploaded(device, "mine.txt", b"mine")
        container, query = given["containerName"], given["sasToken"]
        for path in (
            f"/{container}/{other.id}/file", f"/{container}/{device.id}/../{other.id}/file",
            f"/{container}/{device.id}/%2e%2e/{other.id}/file", f"/{container}/{device.id}%2F..%2F{other.id}%2Ffile",
            f"/{container}/{device.id}/mine.txt/../../{other.id}/file",
            f"/{container}/{device.id}/..%5C{other.id}%5Cfile",
            f"/{container}/{device.id}/mine.txt%00{other.id}/file", f"/{container}//{other.id}/file",
            f"//{container}/{other.id}/file",
            f"/{container}/{device.id}/mine.txt/", f"/{container}/{device.id}/MINE.TXT", f"/{container}",
            f"/{container}/",
            f"/other/{device.id}/mine.txt", f"/{container}/{device.id}/%zz", f"/{container}/../../../../etc/passwd",
            f"/{container}/{device.id}/mine.txt%", f"/{container}/{device.id}/%c0%ae%c0%ae/x",
        ):
            for method in ("PUT", "GET", "DELETE", "HEAD"):
                http = await Http.open(hub)
                http.head(method, path + query, Content_Length=0, x_ms_blob_type="BlockBlob")
                answer = None if method == "HEAD" else await http.answer()
                http.close()
                assert answer is None or answer.status >= 400, (method, path, answer)
        assert (await get(hub, theirs)).body == b"theirs"
        assert (await get(hub, given)).body == b"mine"
        # The same blob with its slash encoded is the same blob (5.1).
        encoded = f"/{container}/{urllib.parse.quote(given['blobName'], safe='')}{query}"
        assert (await call(hub, "GET", encoded)).body == b"mine"


async def test_a_tampered_signature_opens_nothing(hub, device):
    async with bystander(hub):
        given = await uploaded(device, "a", b"content")
        another = await ticket(device, "b")
        fields = dict(part.split("=", 1) for part in given["sasToken"].lstrip("?").split("&"))
        assert {"sv", "sr", "sig", "se", "sp"} <= set(fields)
        changes = {
            "no signature": {"sig": None}, "an empty signature": {"sig": ""},
            "another signature": {"sig": "A" * 43 + "%3D"},
            "a signature that is none": {"sig": "%zz"}, "another blob's signature": dict(
                part.split("=", 1) for part in another["sasToken"].lstrip("?").split("&") if part.startswith("sig=")),
            "a later end": {"se": "2099-01-01T00%3A00%3A00Z"}, "no end": {"se": None},
            "an end that is past": {"se": "2001-01-01T00%3A00%3A00Z"},
            "more permissions": {"sp": "racwdl"}, "no permissions": {"sp": None}, "another scope": {"sr": "c"},
            "no scope": {"sr": None}, "another version": {"sv": "1999-01-01"},
        }
        for label, change in changes.items():
            if label == "an end that is past" or all(fields.get(name) != value for name, value in change.items()):
                for method in ("PUT", "GET", "DELETE"):
                    answer = await call(hub, method, address(given, **change), b"", x_ms_blob_type="BlockBlob")
                    assert answer.status in (400, 401, 403, 404), (label, method, answer)
        answer = await put(hub, address(given, sig="A" * 43 + "%3D"), b"x")
        assert answer.status == 403 and b"AuthenticationFailed" in answer.body, answer
        for where in (address(given).split("?")[0],
                      f"/{given['containerName']}?restype=container&comp=list{given['sasToken'].replace('?', '&')}"):
            assert (await call(hub, "GET", where)).status in (400, 401, 403, 404, 405), where
        answer = await call(hub, "PUT", address(given).split("?")[0], b"x", device.token())
        assert answer.status in (400, 401, 403, 404), answer
        # Parameters outside the signature are allowed.
        assert (await get(hub, {**given, "sasToken": given["sasToken"] + "&timeout=30"})).body == b"content"


BLOCK_LISTS = {
    "malformed": b"<BlockList><Latest>AA==</Latest>", "empty": b"", "another document": b"<Other/>", "not XML": b"{}",
    "an unknown block": b"<BlockList><Latest>eA==</Latest></BlockList>",
    "an id that is none": b"<BlockList><Latest>%%</Latest></BlockList>",
    "entities":
        b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><BlockList><Latest>&b;</Latest></BlockList>',
    "an external entity":
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><BlockList><Latest>&a;</Latest></BlockList>',
    "deep": b"<BlockList>" * 50_000, "not UTF-8": b"<BlockList><Latest>\xff\xfe</Latest></BlockList>",
}


async def test_blocks_and_block_lists_that_are_wrong_commit_nothing(hub, device):
    async with bystander(hub):
        given = await ticket(device, "blocks")
        for block in ("", "%25%25", "AA%3D%3D" * 200, "..%2F..%2Fx", "%00"):
            answer = await put(hub, address(given) + f"&comp=block&blockid={block}", b"x")
            assert answer.status in (400, 201), (block, answer)
        assert (await put(hub, address(given) + "&comp=nothing", b"x")).status == 400
        wrong = {}
        for label, body in BLOCK_LISTS.items():
            answer = await put(hub, address(given) + "&comp=blocklist", body, Content_Type="application/xml")
            if answer is None or answer.status not in (400, 413) or b"root:" in answer.body:
                wrong[label] = answer
        assert not wrong
        assert (await get(hub, given)).status == 404
        answer = await notify(device, given["correlationId"])
        assert answer.status == 400 and "iothub-errorcode" in answer.headers, "there is no blob"


async def test_a_body_that_breaks_off_is_no_blob(hub, device):
    async with bystander(hub):
        given = await ticket(device, "cut")
        for length, chunked in [(1_000_000, False), (0, True)]:
            http = await Http.open(hub)
            framing = {"Transfer_Encoding": "chunked"} if chunked else {"Content_Length": length}
            http.head("PUT", address(given), x_ms_blob_type="BlockBlob", **framing)
            http.send(b"7d000\r\n" * chunked + b"y" * 500_000)
            await http.writer.drain()
            http.writer.transport.abort()
        assert (await get(hub, given)).status == 404
        # The same blob is uploaded while somebody else is still at it, slowly; the slow one breaks off.
        slow = await Http.open(hub)
        slow.head("PUT", address(given), x_ms_blob_type="BlockBlob", Content_Length=1000)
        slow.send(b"slow")
        await slow.writer.drain()
        assert (await put(hub, address(given), b"whole")).status == 201
        slow.writer.transport.abort()
        assert (await get(hub, given)).body == b"whole"
        assert (await put(hub, address(given), b"again", If_None_Match="*")).status == 409
        for range_, statuses in [("bytes=1-2", {206}), ("bytes=9-", {416}), ("bytes=5-2", {200, 400, 416}),
                                 ("lines=1", {200, 400, 416}),
                                 ("bytes=" + "9" * 40 + "-", {200, 400, 416})]:
            answer = await call(hub, "GET", address(given), Range=range_)
            assert answer.status in statuses, (range_, answer)


REQUESTS = {
    "malformed": b'{"blobName": "x"', "an array": b"[]", "empty": b"", "no name": b"{}", "null": b'{"blobName": null}',
    "a number": b'{"blobName": 1}', "an empty name": b'{"blobName": ""}', "not UTF-8": b'{"blobName": "\xff"}',
    "deep": b"[" * 50_000,
}


async def test_ticket_requests_that_are_wrong_are_refused(hub, device):
    async with bystander(hub):
        for label, body in REQUESTS.items():
            answer = await by_device(device, "POST", "files", body, Content_Type="application/json")
            assert answer.status == 400, (label, answer)
            assert answer.json["Message"].startswith("ErrorCode:"), (label, answer)
        answer = await by_device(device, "POST", "files", b'{"blobName": "' + b"x" * 300_000 + b'"}')
        assert answer.status in (400, 413), answer
        # At most ten that are begun and not ended; others have their own.
        given = [await ticket(device, f"file{number}") for number in range(10)]
        answer = await ticket(device, "one too many", expect=None)
        assert answer.status == 403, answer
        assert answer.headers["iothub-errorcode"] == "DeviceMaximumActiveFileUploadLimitExceeded"
        await ticket(hub.device(device.id + "-x"), "not concerned")
        assert (await notify(device, given[0]["correlationId"], success=False)).status in (200, 204)
        await ticket(device, "a place is free")


async def test_notifications_that_are_wrong_are_refused(hub, device):
    other = hub.device(device.id + "-x")
    async with bystander(hub):
        given = await uploaded(device, "file", b"x")
        for label, body in {
            "malformed": b'{"correlationId": ', "an array": b"[]", "empty": b"", "no id": b'{"isSuccess": true}',
            "a number as its id": b'{"correlationId": 1, "isSuccess": true}',
            "a text as its success": b'{"correlationId": "x", "isSuccess": "maybe"}',
        }.items():
            answer = await by_device(device, "POST", "files/notifications", body, Content_Type="application/json")
            assert answer.status == 400, (label, answer)
        for correlation in ("unknown", "", "../../x", "x" * 5000, "\0", given["correlationId"] + "x",
                            given["correlationId"].swapcase() + "-"):
            answer = await notify(device, correlation)
            assert answer.status == 400, (correlation, answer)
        answer = await notify(other, given["correlationId"])
        assert answer.status == 400, "another device's"
        assert answer.headers["iothub-errorcode"] == "InvalidFileUploadCorrelationId"
        missing = await ticket(device, "never uploaded")
        assert (await notify(device, missing["correlationId"])).status == 400
        path = "files/notifications/" + urllib.parse.quote(given["correlationId"], safe="")
        answer = await by_device(device, "POST", path, b'{"isSuccess":true,"statusCode":201,"statusDescription":""}')
        assert answer.status in (200, 204), "Node's way"
        assert (await notify(device, given["correlationId"])).status == 400, "once"


@pytest.mark.parametrize("method", ["POST", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
async def test_a_method_that_blobs_do_not_have_is_refused(hub, device, method):
    async with bystander(hub):
        given = await uploaded(device, "file", b"x")
        answer = await asyncio.wait_for(call(hub, method, address(given), b""), 60)
        assert answer is None or answer.status in (400, 403, 404, 405, 501), answer
        assert (await get(hub, given)).body == b"x"
