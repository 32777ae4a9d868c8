#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""embed.py PAGE.HTML PAGE.CSS PAGE.JS OUTPUT: the page as one document in a C array, and the policy that lets a
browser run exactly the script and the style that are in it (by their hashes), and ask nobody but us."""

import base64
import hashlib
import sys


def source(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def main():
    html, css, js = (open(path, encoding="utf-8").read() for path in sys.argv[1:4])
    for name, text in (("@page.css@", css), ("@page.js@", js)):
        if html.count(name) != 1 or "</" in text:
            sys.exit(f"embed.py: {name} has to stand in the page once, and without a tag in it")
        html = html.replace(name, text)
    policy = "; ".join((
        "default-src 'none'", f"script-src {source(js)}", f"style-src {source(css)}", "connect-src 'self'",
        "img-src data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    ))  # fmt: skip
    with open(sys.argv[4], "w", encoding="ascii") as out:
        out.write(f'#define PAGE_CSP "{policy}"\n\nstatic const unsigned char page_html[] = {{\n')
        data = html.encode()
        for at in range(0, len(data), 20):
            out.write("\t" + " ".join(f"{byte}," for byte in data[at : at + 20]) + "\n")
        out.write("};\n")


if __name__ == "__main__":
    main()
