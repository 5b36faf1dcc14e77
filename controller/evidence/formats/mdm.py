"""Exports of device management: Microsoft Intune's detected apps and managed devices, Jamf Pro's inventories. Pure.

Source: Microsoft Graph v1.0 (``detectedApp``, ``managedDevice``), the columns of Intune's report
``DetectedAppsRawData``, and the Jamf Pro API (``/v1/computers-inventory``, ``/v2/mobile-devices/detail``); as
documented, not run here. Intune lists unmanaged apps of corporate-owned devices only, Jamf what its agent found last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from controller.evidence.formats import fields
from controller.evidence.formats.documents import items
from controller.evidence.formats.reading import Found, Reading, Stream
from controller.evidence.model import Channel, Sighting

Record = Mapping[str, Any]
_PLATFORMS: Final[Mapping[str, str]] = {
    "windows": "windows", "ios": "ios", "ipados": "ios", "android": "android", "macos": "macos", "macmdm": "macos",
    "androidforwork": "android", "chromeos": "chrome", "linux": "linux", "tvos": "ios",
}  # fmt: skip


def platform(text: object) -> str:
    """``windows``, ``ios`` … of what a writer calls it: ``androidOSP``, ``Windows 11``, ``iPadOS``; else empty."""
    word = text.lower().replace(" ", "") if isinstance(text, str) and len(text) < 200 else ""
    return next((known for start, known in _PLATFORMS.items() if word.startswith(start)), "")


def read_intune(stream: Stream, reading: Reading) -> Iterator[Found]:
    """``detectedApps``, best with ``$expand=managedDevices``; or ``managedDevices`` with their ``detectedApps``."""
    return items(stream, reading, ("value",), lambda record: _intune(record, reading))


def _intune(record: Record, reading: Reading) -> Iterator[Sighting]:
    if isinstance(record.get("detectedApps"), list):
        for app in fields.listed(record, "detectedApps"):
            if isinstance(app, dict):
                yield _detected(app, record, reading)
    elif "displayName" in record and ("deviceCount" in record or "managedDevices" in record):
        devices = [device for device in fields.listed(record, "managedDevices") if isinstance(device, dict)]
        for device in devices or [{}]:
            yield _detected(record, device, reading)
    elif "deviceName" not in record and "managedDeviceId" not in record:
        raise ValueError("neither a detected app nor a managed device")


def _detected(app: Record, device: Record, reading: Reading) -> Sighting:
    """Of an app without its devices it is known on how many it is, and on none which."""
    seen = device.get("lastSyncDateTime")
    return Sighting(
        channel=Channel.ENDPOINT,
        at=fields.iso(seen) if seen else reading.made_at or reading.now,
        sensor=reading.sensor or "intune",
        host=fields.clean(device.get("deviceName"), 100),
        user=fields.clean(device.get("userPrincipalName") or device.get("emailAddress"), 100),
        software=fields.clean(app.get("displayName"), 200),
        platform=platform(device.get("operatingSystem")) or platform(app.get("platform")),
        count=1 if device else max(1, fields.whole(app.get("deviceCount")) or 1),
    )


def read_jamf(stream: Stream, reading: Reading) -> Iterator[Found]:
    """Computers with the sections ``APPLICATIONS`` and ``GENERAL``, or mobile devices; also of the classic API."""
    keys = ("results", "computers", "mobile_devices")
    return items(stream, reading, keys, lambda record: _jamf(record, reading))


def _jamf(record: Record, reading: Reading) -> Iterator[Sighting]:
    classic = fields.section(record, "mobile_device") or fields.section(record, "computer")
    device = classic or record
    general = fields.section(device, "general")
    if not general and "id" not in device and "mobileDeviceId" not in device:
        raise ValueError("neither a computer nor a mobile device")
    person = fields.section(device, "userAndLocation") or fields.section(device, "location")
    software = fields.section(device, "software")
    apps = fields.listed(device, "applications") + fields.listed(software, "applications")
    is_mobile = "mobile_device" in record or "mobileDeviceId" in device or "deviceType" in device
    source = _first(general, "lastReportedIpV4", "lastReportedIp", "ipAddress", "last_reported_ip", "ip_address")
    common: dict[str, Any] = {
        "channel": Channel.ENDPOINT,
        "at": _jamf_time(general, reading),
        "sensor": reading.sensor or "jamf",
        "source": fields.address(source),
        "host": fields.clean(_first(general, "name", "displayName", "device_name"), 100),
        "user": fields.clean(_first(person, "username", "email", "email_address"), 100),
        "platform": platform(device.get("deviceType")) or ("ios" if is_mobile else "macos"),
    }
    for app in apps:
        if isinstance(app, dict) and (name := _first(app, "bundleId", "bundle_id", "identifier", "name")):
            yield Sighting(software=fields.clean(name, 200), **common)


def _jamf_time(general: Record, reading: Reading) -> Any:
    names = ("reportDate", "lastInventoryUpdateDate", "lastContactTime", "report_date_utc", "last_inventory_update_utc")
    text = _first(general, *names)
    return fields.iso(text) if text else reading.made_at or reading.now


def _first(record: Record, *keys: str) -> str:
    return next((value for key in keys if isinstance(value := record.get(key), str) and value), "")


def fits_intune(head: str) -> bool:
    begins = head.lstrip()[:1] in ("{", "[")
    graph = "graph.microsoft.com" in head[:2048] and '"value"' in head[:4096]
    return begins and (graph or '"detectedApps"' in head or ('"deviceCount"' in head and '"displayName"' in head))


def fits_jamf(head: str) -> bool:
    begins = head.lstrip()[:1] in ("{", "[")
    return begins and (
        ('"totalCount"' in head[:4096] and '"results"' in head[:4096])
        or '"mobile_device"' in head[:4096]
        or ('"computer"' in head[:4096] and '"general"' in head)
    )
