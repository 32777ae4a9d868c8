#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""docs/lua-api/prtip.lua says what the program has: its annotations are well-formed, and names, required
and optional parameters, fields and words are those of lanes and of the C tables. Prints TAP.

    tests/cli/lua-api.py [PROGRAM]
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
from fixtures import plugin  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.abspath(
    sys.argv[1]
    if len(sys.argv) > 1
    else os.environ.get("PRTIP_DP", os.path.join(TOP, "build", "prtip-dp"))
)
BUILTIN = "nil any boolean string number integer function table thread userdata true false".split()


def same(got, wanted):
    assert got == wanted, f"{got!r}, not {wanted!r}"


# ---- The annotations ----


class Types:
    """A recursive-descent reader of LuaLS types; collects the names that they use.

    union = postfix {"|" postfix}; postfix = simple {"[]" | "?"};
    simple = NAME ["<" union {"," union} ">"] | STRING | NUMBER | "(" union ")" | "fun" ...
           | "{" (NAME | "[" union "]") ["?"] ":" union {"," ...} "}" | "..."
    """

    TOKEN = re.compile(r'\s*("[^"]*"|\.\.\.|\[\]|[A-Za-z_][\w.]*|-?\d+|[|?()<>,:{}\[\]])')

    def __init__(self, text, names):
        self.text, self.names, self.tokens, at = text, names, [], 0
        self.ends = []
        while match := self.TOKEN.match(text, at):
            self.tokens.append(match[1])
            at = match.end()
            self.ends.append(at)
        self.at = 0

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self, wanted=None):
        token = self.peek()
        assert token is not None and wanted in (None, token), f"{wanted!r} expected: {self.text!r} at {token!r}"
        self.at += 1
        return token

    def union(self):
        self.postfix()
        while self.peek() == "|":
            self.take()
            self.postfix()

    def postfix(self):
        self.simple()
        while self.peek() in ("[]", "?"):
            self.take()

    def simple(self):
        token = self.take()
        if token == "(":
            self.union()
            self.take(")")
        elif token == "{":
            self.members()
        elif token == "fun":
            self.function()
        elif token == "..." or token[0] == '"' or token.lstrip("-").isdigit():
            pass
        else:
            assert re.match(r"[A-Za-z_]", token), f"not a type: {self.text!r}"
            self.names.add(token)
            if self.peek() == "<":
                self.take()
                self.union()
                while self.peek() == ",":
                    self.take()
                    self.union()
                self.take(">")

    def members(self):
        while True:
            if self.peek() == "[":
                self.take()
                self.union()
                self.take("]")
            else:
                self.take()
            if self.peek() == "?":
                self.take()
            self.take(":")
            self.union()
            if self.take() == "}":
                return

    def function(self):
        self.take("(")
        while self.peek() != ")":
            self.take()
            if self.peek() == "?":
                self.take()
            self.take(":")
            self.union()
            if self.peek() == ",":
                self.take()
        self.take(")")
        if self.peek() == ":":
            self.take()
            self.union()
            while self.peek() == ",":
                self.take()
                self.union()


def read_type(text, names):
    """Read the type that the text begins with; what is behind it."""
    types = Types(text, names)
    types.union()
    end = types.ends[types.at - 1]
    rest = text[end:]
    assert not rest or rest[0] == " ", f"no type: {text!r} at {rest!r}"
    return rest.strip()


class Api:
    """The file, taken apart: functions, values, classes, aliases."""

    def __init__(self, text):
        self.functions = {}  # name: [(parameter, optional, type)]
        self.values = {}  # name: type
        self.classes = {}  # name: {field: optional}
        self.aliases = {}  # name: text
        self.capability = {}  # function: what its comment says
        self.used, self.generic = set(), set()
        self.pending, self.params, self.comment = None, [], ""
        lines = text.splitlines()
        same(lines[0], "---@meta")
        for number, line in enumerate(lines[1:], 2):
            try:
                self.line(line)
            except AssertionError as error:
                raise AssertionError(f"prtip.lua:{number}: {error}") from None
        unknown = self.used - set(self.classes) - set(self.aliases) - set(BUILTIN) - self.generic
        assert not unknown, f"types that nothing defines: {sorted(unknown)}"

    def line(self, line):
        if line.startswith("---@"):
            self.tag(line[4:])
        elif line.startswith("--- ") or line == "---":
            self.comment += line[3:] + "\n"
        elif line.startswith("--"):
            pass
        elif not line:
            self.params, self.comment, self.pending = [], "", None
        else:
            self.code(line)

    def tag(self, line):
        tag, _, rest = line.partition(" ")
        reader = getattr(self, "tag_" + tag, None)
        assert reader, f"no such tag: @{tag}"
        reader(rest)

    def tag_alias(self, rest):
        name, _, text = rest.partition(" ")
        same(read_type(text, self.used), "")
        assert name not in self.aliases, f"{name} again"
        self.aliases[name] = text

    def tag_class(self, rest):
        name, _, parent = rest.partition(" : ")
        assert re.fullmatch(r"[\w.]+", name) and name not in self.classes, name
        self.classes[name] = {}
        if parent:
            read_type(parent, self.used)
            self.classes[name].update(self.classes.get(parent, {}))
        self.last_class = name

    def tag_field(self, rest):
        if rest.startswith("["):
            index, _, rest = rest[1:].partition("] ")
            same(read_type(index, self.used), "")
            read_type(rest, self.used)
            return
        name, _, text = rest.partition(" ")
        assert re.fullmatch(r"\w+\??", name), name
        read_type(text, self.used)
        self.classes[self.last_class][name.rstrip("?")] = name.endswith("?")

    def tag_operator(self, rest):
        assert rest == "len: integer", rest

    def tag_type(self, rest):
        read_type(rest, self.used)
        self.pending = rest

    def tag_generic(self, rest):
        self.generic.add(rest)

    def tag_overload(self, rest):
        assert rest.startswith("fun("), rest
        same(read_type(rest, self.used), "")

    def tag_param(self, rest):
        name, _, text = rest.partition(" ")
        read_type(text, self.used)
        self.params.append((name.rstrip("?"), name.endswith("?"), text))

    def tag_return(self, rest):
        read_type(rest, self.used)

    def code(self, line):
        if match := re.fullmatch(r"function (\w+\.\w+)\((.*)\) end", line):
            names = [name for name in match[2].split(", ") if name]
            same((match[1], [name for name, _, _ in self.params]), (match[1], names))
            optional = [o for _, o, _ in self.params]
            assert optional == sorted(optional), f"{match[1]}: one that is required behind an optional one"
            self.functions[match[1]] = self.params
            found = re.search(r"Capability (\w+)\.", self.comment.replace("\n", " "))
            self.capability[match[1]] = found[1] if found else None
        else:
            match = re.fullmatch(r'([\w.]+) = (\{\}|nil|"")', line)
            assert match, line
            self.values[match[1]] = self.pending
        self.params, self.comment, self.pending = [], "", None

    def words(self, alias):
        """The strings of an alias, those of aliases in it included."""
        found = set()
        for word in self.aliases[alias].split("|"):
            found |= {word.strip('"')} if word.startswith('"') else self.words(word)
        return found

    def names(self, table):
        return {n.split(".")[1] for n in [*self.functions, *self.values] if n.startswith(table + ".")}


with open(os.path.join(TOP, "docs", "lua-api", "prtip.lua"), encoding="utf-8") as opened:
    TEXT = opened.read()


def source(name):
    with open(os.path.join(TOP, "luahost", name), encoding="utf-8") as file:
        return file.read()


def body(text, start):
    """From @start to the end of the initializer or function."""
    at = text.index(start)
    return text[at : text.index("\n}", at)]


# ---- Lanes ----

# Reports what is there, and calls each function with too few, enough and all arguments, and with one
# of a wrong type. `check(name, what, raised, why)` for each call.
PROBE = """
local FUNCTIONS = {%s}

local function listing(table)
	local found = {}
	for name, value in pairs(table) do found[name] = type(value) end
	return found
end

local function nothing() end

local function value_of(param, target)
	if param == "sock" then return assert(prtip.connect(target.ip, target.port, {timeout = 2})) end
	if param == "ip" then return target.ip end
	if param == "port" then return target.port end
	return ({level = "info", message = "x", key = "k", value = 1, sequence = {}, options = {timeout = 1},
		data = "x", timeout = 1, max_bytes = 1, protocol = "udp", seconds = 0, name = "file", text = "1",
		s = "x", i = 1, j = 1, n = 1, ["..."] = 65})[param] or error("no value for " .. param)
end

local function try(f, params, n, wrong, target)
	local args, sock = {}, nil
	for i = 1, n do
		args[i] = value_of(params[i], target)
		if params[i] == "sock" then sock = args[i] end
	end
	if wrong then args[wrong] = nothing end
	local ok, why = pcall(f, unpack(args, 1, n))
	if sock then prtip.close(sock) end
	return not ok, tostring(why)
end

local function probe(target)
	local wrong = {}
	local function expect(what, raises, raised, why)
		if raised ~= raises then
			wrong[#wrong + 1] = what .. (raised and " raised " .. why or " did not raise")
		end
	end
	for _, f in ipairs(FUNCTIONS) do
		local call = f.table == "utf8" and utf8[f.name] or prtip[f.name]
		for n = 0, #f.params do
			local what = f.name .. " with " .. n .. " arguments"
			expect(what, n < f.required, try(call, f.params, n, nil, target))
		end
		for i = 1, #f.params do
			if f.name ~= "each" then
				local what = f.name .. " with a function as argument " .. i
				expect(what, true, try(call, f.params, #f.params, i, target))
			end
		end
	end
	return wrong
end
"""

LISTER = """
function on_target(target, result)
	prtip.add_result("prtip", listing(prtip))
	prtip.add_result("utf8", listing(utf8))
	prtip.add_result("base64", listing(prtip.base64))
	prtip.add_result("target", listing(target))
	local config = {}
	for _, name in ipairs({%s}) do config[name] = prtip.scan_config[name] end
	prtip.add_result("config", config)
	if not prtip.scan_config.ports:find("^80") then prtip.add_result("wrong", probe(target)) end
end

function on_pre_scan(targets)
	for name in pairs(targets[1]) do prtip.log("info", "field " .. name) end
end
"""


def lua_functions(api):
    rows = []
    for name, params in api.functions.items():
        table, name = name.split(".")
        if table == "test":
            continue
        required = sum(not optional and param != "..." for param, optional, _ in params)
        quoted = ", ".join(f'"{param}"' for param, _, _ in params)
        rows.append(f'{{table = "{table}", name = "{name}", required = {required}, params = {{{quoted}}}}}')
    return ",\n".join(rows)


class Server:
    """Says hello on a loopback port to whoever connects."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        self.kept = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
                connection.sendall(b"hello\n")
            except OSError:
                return
            self.kept.append(connection)


def run(top, *arguments, status=0):
    done = subprocess.run(
        [PROGRAM, *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=top,
        env=dict(os.environ, HOME=top),
    )
    assert done.returncode == status, f"{arguments}: exit {done.returncode}: {done.stderr.strip()[-600:]}"
    return done


def make(api, top):
    config = ", ".join(f'"{name}"' for name in api.classes["prtip.ScanConfig"])
    path = plugin(
        top,
        "lister",
        main=PROBE % lua_functions(api) + LISTER % config,
        capabilities='["network", "filesystem"]',
    )
    os.chmod(top, 0o755)
    return path


def scan(top, *arguments):
    done = run(top, "--plugin-dir", ".", "--plugin", "lister", "-o", "ndjson:-", "--set",
               "scan.cooldown=300ms", *arguments)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    said = records[0]["plugins"]["lister"]
    same((said["status"], said.get("error")), ("ok", None))
    return said["results"], done.stderr


def check_file(top):
    """it is Lua, its annotations are well-formed, and each type that it names is defined"""
    path = plugin(top, "meta")
    os.mkdir(os.path.join(path, "lib"))
    with open(os.path.join(path, "lib", "prtip.lua"), "w", encoding="utf-8") as file:
        file.write(TEXT)
    # Every Lua file of a plugin is parsed when it is loaded; lib/prtip.lua is never run.
    run(top, "--list-plugins", "--set", "plugins.dir=" + top)
    done = run(top, "--set", "dataplane.port=sim", "-p80", "198.18.0.1", "--plugin-dir", top, "--plugin",
               "meta", "--dry-run")
    assert "meta 1.0.0 (scan)" in done.stdout
    Api(TEXT)
    for wrong in ("---@parm x string", "---@param x strng", "---@return fun(", '---@alias a "b', "---@field x"):
        try:
            Api(TEXT + "\n" + wrong + "\n")
        except AssertionError:
            continue
        raise AssertionError(f"{wrong} is taken")


def check_names(top):
    """names and kinds in `prtip` and `utf8` are those of a lane, both ways; fields of targets, scan_config"""
    api = Api(TEXT)
    make(api, top)
    seen, log = scan(top, "--set", "dataplane.port=sim", "--set", "sim.alive=1", "--set", "sim.open=1",
                     "-p", "80", "198.18.0.1", "--rate", "5k", "--seed", "9")
    for table in ("prtip", "utf8"):
        same(sorted(seen[table]), sorted(api.names(table)))
        for name, kind in seen[table].items():
            full = f"{table}.{name}"
            value = api.values.get(full)
            wanted = value if value in ("userdata", "string") else "table"
            same((full, kind), (full, "function" if full in api.functions else wanted))
    same(seen["base64"], {name: "function" for name in api.classes["prtip.Codec"]})
    same(sorted(re.findall(r"field (\w+)", log)), sorted(api.classes["prtip.Target"]))
    result = api.classes["prtip.Result"]  # which a hook's target is, too
    always = {name for name, optional in result.items() if not optional}
    assert always | {"port"} <= set(seen["target"]) <= set(result), seen["target"]
    same(seen["config"], {"scan_type": "syn", "rate": 5000, "timing": 3, "flags": "S", "ports": "80", "seed": 9})


def check_parameters(top):
    """required and optional parameters: real lanes on loopback raise for too few and for wrong ones"""
    if os.geteuid():
        return "needs root for a scan of loopback"
    api = Api(TEXT)
    make(api, top)
    server = Server()
    seen, _ = scan(top, "--set", "dataplane.port=lo", "-p", str(server.port), "127.0.0.1", "--set",
                   "scan.cooldown=1s")
    server.socket.close()
    # An empty list is an empty object.
    same(list(seen["wrong"] or []), [])
    return None


def check_tests(top):
    """the same of the scripted network of plugin tests, and the names in `test`"""
    api = Api(TEXT)
    path = make(api, top)
    os.mkdir(os.path.join(path, "tests"))
    with open(os.path.join(path, "tests", "t.lua"), "w", encoding="utf-8") as file:
        file.write(
            "function _G.names() local n = {} for name in pairs(test) do n[#n + 1] = name end\n"
            "table.sort(n) return table.concat(n, ' ') end\n"
            "function _G.on_target(target) _G.wrong = table.concat(_G.probe(target), '; ') end\n"
            "test.case('names', function() error('NAMES ' .. names(), 0) end)\n"
            "test.case('parameters', function()\n"
            "test.server('198.18.0.1', 80, {{reply = 'hello'}})\n"
            "test.call('on_target', test.target{}, test.result{})\n"
            "test.equal(_G.wrong, '') end)\n"
        )
    with open(os.path.join(path, "main.lua"), "a", encoding="utf-8") as file:
        file.write("_G.probe = probe\n")
    out = run(top, "--check-plugin", path, status=1).stdout
    names = re.search(r"NAMES ((?:\w+\s+)*\w+)\nok ", out)
    assert names, out
    same(names[1].split(), sorted(api.names("test")))
    assert "tests/t.lua: parameters" in out and "error    tests/t.lua: parameters" not in out, out[-1500:]


def check_sources(top):
    """fields, words, options and capabilities are those of the C tables"""
    api = Api(TEXT)
    view = source("view.c")
    rows = re.findall(r'\{"(\w+)", (\w+)\}', body(view, "} fields[] = {"))
    same({name for name, _ in rows}, set(api.classes["prtip.Result"]))
    for name, push in rows:
        code = body(view, f"static void {push}(")
        nil = "lua_pushnil" in code or "push_text" in code
        same((name, api.classes["prtip.Result"][name]), (name, nil))

    info = source("tls_info.c")
    keys = set(re.findall(r'set_\w+\(\s*&?info, "(\w+)"', info))
    keys |= set(re.findall(r'lua_setfield\(info->L, -\d, "(\w+)"\)', info))
    keys |= set(re.findall(r'set_date\(info, "\w+", "(\w+)"', info))
    declared = set(api.classes["prtip.TlsInfo"]) | set(api.classes["prtip.Certificate"])
    same(sorted(keys), sorted(declared))

    hello = source("tls_hello.c")
    keys = set(re.findall(r'set_(?:name|number)\(\s*L, "(\w+)"', hello))
    keys |= set(re.findall(r'lua_setfield\(L, -2, "(\w+)"\)', hello))
    same(sorted(keys), sorted(set(api.classes["prtip.TlsHello"]) | set(api.classes["prtip.TlsAlert"])))
    asked = set(re.findall(r'get_option\(L, options, "(\w+)"\)', hello))
    asked |= set(re.findall(r"options\.(\w+)", source("lane.lua")))
    same(sorted(asked), sorted(api.classes["prtip.TlsProbeOptions"]))
    names = re.findall(r'\{"([\w.]+)", \w+_VERSION_NUMBER|"(SSLv\d|TLSv1\.\d)"', hello)
    same({a or b for a, b in names}, api.words("prtip.HelloVersion"))

    code = source("api.c")
    options = set(re.findall(r'option_text\(\s*L, index, "(\w+)"', code))
    options |= set(re.findall(r'tls_version\(L, index, "(\w+)"\)', code)) | {"alpn", "timeout"}
    same(sorted(options), sorted(api.classes["prtip.TlsOptions"]))
    connect = body(code, "static void read_connect(")
    options = set(re.findall(r'lua_pushliteral\(L, "(\w+)"\)|option_text\(L, 3, "(\w+)"', connect))
    same({a or b for a, b in options}, set(api.classes["prtip.ConnectOptions"]))
    same(set(re.findall(r'"(\w+)"', re.search(r"levels\[\] = \{(.*?)\}", code)[1])), api.words("prtip.LogLevel"))
    same(set(re.findall(r'lua_setfield\(L, -2, "(\w+)"\)', body(code, "static void push_scan_config("))),
         set(api.classes["prtip.ScanConfig"]))

    table = dict(re.findall(r'\{"(\w+)", (0|LH_CAP_\w+)\}', body(source("check.c"), "} fields[] = {")))
    same(sorted(table), sorted(api.names("prtip")))
    for name, capability in table.items():
        wanted = None if capability == "0" else capability[len("LH_CAP_"):].lower()
        same((name, api.capability.get("prtip." + name)), (name, wanted))

    convo = source("convo.c")
    fields = set(re.findall(r'take_field\(L, returned, "(\w+)"', convo)) | {"confidence"}
    same(fields, set(api.classes["prtip.Service"]))
    same(set(re.findall(r'\{"(\w+)", TEXT_\w+\}', convo)), set(api.classes["prtip.Narrowing"]))
    hooks = re.findall(r'\[LH_HOOK_\w+\] = "(\w+)"', source("plugin.c"))
    same(sorted(hooks), sorted(a.rsplit(".", 1)[1] for a in api.aliases if a.startswith("prtip.hook.")))
    states = re.search(r"lh_state_names\[\w+\]\s*= \{(.*?)\}", source("manifest.c"), re.S)[1]
    same(set(re.findall(r'"(\w+)"', states)), api.words("prtip.State"))
    probes = body(source("lane.c"), "static void take_probed(")
    same(set(re.findall(r'\[LH_PROBE_\w+\] = "([\w-]+)"', probes)), api.words("prtip.ProbeState"))
    statuses = re.findall(r'lh_status_names\[\w+\]\s*= \{(.*?)\}', source("host.c"), re.S)
    same(set(re.findall(r'"(\w+)"', statuses[0])), api.words("prtip.Status"))

    same(list(api.classes["test.Fields"]), [name for name, _ in rows])
    steps = re.search(r"local STEPS = \{(.*?)\}", source("check.lua"))[1]
    same(set(re.findall(r"(\w+) =", steps)) | {"refuse"}, set(api.classes["test.Step"]))
    done = run(top, "-p80", "198.18.0.1", "--scan-type", "-", status=2)
    types = re.search(r"give (.*)", done.stderr)[1].replace(" or ", ", ")
    same(set(types.split(", ")), api.words("prtip.ScanType"))


def main():
    failed = 0
    tests = (check_file, check_names, check_parameters, check_tests, check_sources)
    print(f"1..{len(tests)}")
    for number, function in enumerate(tests, 1):
        try:
            with tempfile.TemporaryDirectory(prefix="prtip-") as folder:
                skipped = function(os.path.realpath(folder))
            print(f"ok {number} - {function.__doc__}" + (f" # SKIP {skipped}" if skipped else ""), flush=True)
        except (AssertionError, KeyError, subprocess.TimeoutExpired, OSError, ValueError, TypeError) as error:
            failed += 1
            print(f"not ok {number} - {function.__doc__}")
            print("# " + f"{type(error).__name__}: {error}"[:1500].replace("\n", "\n# "), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
