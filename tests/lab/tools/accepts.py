#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a TLS server accepts, as OpenSSL's client finds out by shaking hands with each suite alone.

    accepts.py ADDRESS PORT [smtp|imap|pop3|ftp]

prints `VERSION SUITE` lines, suites in IANA's names, sorted. With a protocol TLS begins as its own
library module begins it. Of TLS 1.3, whose suites Python cannot choose, `openssl s_client` tells.
"""
import ftplib
import imaplib
import poplib
import smtplib
import socket
import ssl
import subprocess
import sys
import warnings

warnings.simplefilter("ignore")
ADDRESS, PORT = sys.argv[1], int(sys.argv[2])
PROTOCOL = sys.argv[3] if len(sys.argv) > 3 else None
EVERYTHING = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
VERSIONS = [(ssl.TLSVersion.TLSv1, "TLSv1.0"), (ssl.TLSVersion.TLSv1_1, "TLSv1.1"),
            (ssl.TLSVersion.TLSv1_2, "TLSv1.2")]
OF_13 = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
         "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"]


def context(version, cipher):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.set_ciphers(cipher + ":@SECLEVEL=0")
    made.minimum_version = made.maximum_version = version
    return made


def shake(tls):
    if PROTOCOL == "smtp":
        with smtplib.SMTP(ADDRESS, PORT, timeout=5) as client:
            return client.starttls(context=tls)[0] == 220
    if PROTOCOL == "imap":
        return imaplib.IMAP4(ADDRESS, PORT, timeout=5).starttls(ssl_context=tls)[0] == "OK"
    if PROTOCOL == "pop3":
        return poplib.POP3(ADDRESS, PORT, timeout=5).stls(context=tls).startswith(b"+OK")
    if PROTOCOL == "ftp":
        client = ftplib.FTP_TLS(context=tls)
        client.connect(ADDRESS, PORT, timeout=5)
        return client.auth().startswith("234")
    with socket.create_connection((ADDRESS, PORT), timeout=5) as sock:
        return bool(tls.wrap_socket(sock).version())


def works(version, cipher):
    try:
        return shake(context(version, cipher))
    except (OSError, ssl.SSLError, smtplib.SMTPException, imaplib.IMAP4.error, poplib.error_proto,
            ftplib.Error, EOFError):
        return False


def suites(flag):
    """(IANA's name, OpenSSL's name) of all that may go with this version."""
    told = subprocess.run(["openssl", "ciphers", "-s", flag, "-stdname", EVERYTHING],
                          capture_output=True, text=True, check=True).stdout
    return [(line.split()[0], line.split()[2]) for line in told.splitlines()]


def works_13(suite):
    command = ["openssl", "s_client", "-connect", f"{ADDRESS}:{PORT}", "-tls1_3", "-ciphersuites", suite,
               "-no-CAfile", "-no-CApath", "-no-CAstore"]
    told = subprocess.run(command + (["-starttls", PROTOCOL] if PROTOCOL else []), capture_output=True,
                          stdin=subprocess.DEVNULL, text=True, timeout=10, check=False).stdout
    return f"New, TLSv1.3, Cipher is {suite}" in told


lines = [f"{name} {iana}" for (version, name), flag in zip(VERSIONS, ("-tls1", "-tls1_1", "-tls1_2"))
         for iana, cipher in suites(flag) if works(version, cipher)]
# A process each: of STARTTLS only those that OpenSSL's servers have by default.
lines += [f"TLSv1.3 {suite}" for suite in OF_13[:3 if PROTOCOL else 5] if works_13(suite)]
print(*sorted(lines), sep="\n")
