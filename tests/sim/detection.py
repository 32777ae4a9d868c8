#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Built-in service detection in scans of the simulated network: what banners say, the operator's own
fingerprints, Recog's, and what plugins make of it. Prints TAP.

    tests/sim/detection.py [TEST...]
"""

import os
import re
import subprocess

from flow import PROGRAM, check_account, holds, main, same, test

PORTS = ("-p", "21,22,25,80,443,3306", "198.18.0.0/24", "--rate", "50k", "--set", "sim.open=0.6")
BANNERS = ("--set", "banner.enable=on", "--set", "banner.wait=500ms")

# What banners of the simulated hosts hold, found without the program's rules: pattern, product.
SAID = [
    (r"^SSH-2\.0-(OpenSSH)_([\w.]+)", "OpenSSH"),
    (r"^SSH-2\.0-(dropbear)_([\w.]+)", "Dropbear"),
    (r"\r\nServer: (nginx)/([\w.]+)", "nginx"),
    (r"\r\nServer: (Apache)/([\w.]+)", "Apache"),
    (r"\r\nServer: (lighttpd)/([\w.]+)", "lighttpd"),
    (r"^220 .*(vsFTPd) ([\w.]+)", "vsftpd"),
    (r"^220 .*(ProFTPD) ([\w.]+)", "ProFTPD"),
    (r"^220 .*(Postfix)()", "Postfix"),
    (r"^220 .*(Exim) ([\w.]+)", "Exim"),
]


def banner_of(record):
    return record["banner"] if "banner" in record else bytes.fromhex(record["banner_hex"]).decode("latin-1")


def has_banner(record):
    return "banner" in record or "banner_hex" in record


@test
def banners(place):
    """products and versions are those that the banners hold, and each open port that spoke has a service"""
    run = place.scan(*PORTS, *BANNERS)
    products = set()
    for record in filter(has_banner, run.records):
        service = record["service"]
        same(service["source"], "builtin")
        assert 0 < service["confidence"] <= 1, service
        for pattern, product in SAID:
            found = re.search(pattern, banner_of(record))
            if not found:
                continue
            assert service["product"].lower().startswith(product.lower()), (service, banner_of(record))
            same(service.get("version", ""), found[2])
            if found[2]:
                holds(service["cpe"], "cpe:/a:", found[2].lower())
            products.add(product)
    assert len(products) >= 5, products
    names = {record["port"]: record["service"]["name"] for record in run.records if has_banner(record)}
    same(names, {21: "ftp", 22: "ssh", 25: "smtp", 80: "http", 443: "https", 3306: "mysql"})
    for record in run.records:
        same("service" in record, has_banner(record))
    holds(run.err, "fingerprints name services")


@test
def off(place):
    """without [detection], or without banners, records have no service"""
    for more in ((*BANNERS, "--set", "detection.enable=off"), ()):
        run = place.scan(*PORTS, *more)
        assert run.records and not any("service" in record for record in run.records)
        assert "fingerprints" not in run.err


@test
def unused(place):
    """fingerprints that nothing uses are said, with the key that is off"""
    mine = place.write("mine.txt", "")
    for section, more in (("detection", (*BANNERS, "--set", "detection.enable=off")), ("banner", ())):
        run = place.scan(*PORTS, *more, "--set", f"detection.fingerprints={mine}")
        holds(run.err, f"warning: the fingerprints of [detection] are not used, as [{section}] enable = off")


@test
def own(place):
    """the operator's rules come before those that come along; a mistake in them ends it before anything is sent"""
    mine = place.write(
        "mine.txt",
        "match ssh.software /^(?:OpenSSH|dropbear)_([\\w.]+)/\n\tport 22\n\tservice lab-ssh\n\tproduct Lab $0\n"
        "\tversion $1\n\tinfo of ours\n\tos Lab OS\n\tcpe cpe:/a:lab:ssh:$1\n",
    )
    run = place.scan(*PORTS, *BANNERS, "--set", f"detection.fingerprints={mine}")
    mine_seen = [record for record in run.records if record["port"] == 22 and has_banner(record)]
    assert mine_seen
    for record in mine_seen:
        service = record["service"]
        same((service["name"], service["info"], service["os"]), ("lab-ssh", "of ours", "Lab OS"))
        assert re.match(r"SSH-2.0-" + re.escape(service["product"][4:]), banner_of(record)), record
    bad = place.write("bad.txt", "match banner /x/\n\tproduct y\n\tproduct z\n")
    run = place.scan(*PORTS, *BANNERS, "--set", f"detection.fingerprints={mine}, {bad}", status=2)
    same((run.records, run.summary, run.out), ([], {}, b""))
    same(run.err, f"prtip-dp: {bad}:3: product: given twice\n")
    run = place.scan(*PORTS, *BANNERS, "--set", "detection.fingerprints=/nonexistent", status=2)
    holds(run.err, "/nonexistent: cannot read the fingerprints")


@test
def recog(place):
    """Recog's files name what the others do not; what is left out is counted in a start line"""
    folder = place.path("recog")
    os.mkdir(folder)
    place.write(
        "recog/ftp.xml",
        '<fingerprints matches="ftp.banner" protocol="ftp" preference="1.0">'
        '<fingerprint pattern="^.*$" flags="REG_ICASE"><param pos="0" name="service.product" value="By Recog"/>'
        "</fingerprint></fingerprints>",
    )
    place.write("recog/jarm.xml", '<fingerprints matches="tls.jarm"><fingerprint pattern="a"/></fingerprints>')
    run = place.scan(*PORTS, *BANNERS, "--set", f"detection.recog={folder}")
    seen = {record["port"]: record["service"].get("product") for record in run.records if has_banner(record)}
    same(seen[21], "By Recog")
    assert "By Recog" not in [seen[port] for port in seen if port not in (21, 25)]
    holds(run.err, "1 of Recog's are left out")
    plan = subprocess.run(
        [PROGRAM, "--set", "dataplane.port=sim", *PORTS, *BANNERS, "--set", f"detection.recog={folder}", "--dry-run"],
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout
    holds(plan, "detection   ", "1 of Recog's left out")
    run = place.scan(*PORTS, *BANNERS, "--set", f"detection.recog={place.plugins}", status=2)
    holds(run.err, "no *.xml in it")


@test
def plugins(place):
    """plugins see what detection said, with its source; what they are surer of takes its place"""
    place.plugin(
        "refine",
        """
function analyze_banner(banner)
	local info = prtip.target_info
	prtip.add_result("saw", {info.service, info.product or "-", info.os or "-", info.source, info.confidence})
	if info.port == 80 then return {service = "http", product = "refined", os = "ours", confidence = 1} end
	return {service = "doubt", confidence = 0.1}
end
""",
        "detection",
        tables='[plugin.match]\nservice = ["http", "ssh"]\n',
    )
    run = place.scan(*PORTS, *BANNERS, "--plugin", "refine")
    plain = {(r["ip"], r["port"]): r for r in place.scan(*PORTS, *BANNERS).records}
    check_account(run)
    offered = 0
    for record in run.records:
        before = plain[record["ip"], record["port"]].get("service")
        if not before or before["name"] not in ("http", "ssh"):
            assert "plugins" not in record
            continue
        offered += 1
        saw = record["plugins"]["refine"]["results"]["saw"]
        same(saw[:4], [before["name"], before.get("product", "-"), before.get("os", "-"), "builtin"])
        assert abs(saw[4] - before["confidence"]) < 1e-9
        if record["port"] == 80:
            same((record["service"]["product"], record["service"]["os"]), ("refined", "ours"))
            same(record["service"]["source"], "refine")
        else:
            same(record["service"], before)
    assert offered > 20


if __name__ == "__main__":
    main()
