# SPDX-License-Identifier: BSD-3-Clause
"""Small plugins for tests, made in a folder of the test's own."""

import os

HOOKS = {
    "scan": "function on_target(target, result) end\n",
    "output": "function format_result(result) return result.ip .. '\\n' end\n",
    "detection": "function analyze_banner(banner) return nil end\n",
}


def plugin(
    folder, name, /, kind="scan", version="1.0.0", *, main=None, config="", manifest=None, **more
):
    """Make FOLDER/NAME and return its path. `more`: further keys of [plugin] as TOML."""
    path = os.path.join(folder, name)
    os.makedirs(path, exist_ok=True)
    if manifest is None:
        keys = {
            "name": f'"{name}"',
            "version": f'"{version}"',
            "author": '"the tests"',
            "description": f'"a {kind} plugin of the tests"',
            "license": '"BSD-3-Clause"',
            "plugin_type": f'"{kind}"',
            "capabilities": "[]",
        }
        keys.update(more)
        lines = [f"{key} = {value}" for key, value in keys.items() if value is not None]
        manifest = "\n".join(["[plugin]", *lines, "[config]", config, ""])
    for file, text in (
        ("plugin.toml", manifest),
        ("main.lua", HOOKS[kind] if main is None else main),
        ("README.md", f"# {name}\n"),
    ):
        with open(os.path.join(path, file), "w", encoding="utf-8") as out:
            out.write(text)
    return path
