#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""fetch.py ADDRESS PORT SECONDS: fetch a page over and over with the kernel's own TCP, a connection
each time; print `FETCHED FAILED`."""

import sys
import time
import urllib.request


def main():
    url = f"http://{sys.argv[1]}:{sys.argv[2]}/"
    end = time.monotonic() + float(sys.argv[3])
    good = bad = 0
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                good += answer.read() == b"hello from the lab\n"
        except OSError as error:
            print(f"# {error}", file=sys.stderr)
            bad += 1
        time.sleep(0.01)
    print(good, bad)


if __name__ == "__main__":
    main()
