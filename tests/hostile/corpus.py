# SPDX-License-Identifier: BSD-3-Clause
"""Plugins that mean harm, one row each: what they are, what they do, what must become of them.

Row(name, kind, lua, status): `status` is the words that the plugin's records may have, the first of
which (or one of those with `|` between them) must occur. A body without `function` is that of on_target (scan),
format_result (output) or analyze_banner (detection). `results` is what add_result() must have left in
each record that is ok, as far as it is given. `deadly` ones cost a lane a record and end in
quarantine. LOAD rows never come to a scan: exit 2, and what is said holds `status`.
"""

from dataclasses import dataclass, field

HEADS = {
    "scan": "function on_target(target, result)\n",
    "output": "function format_result(result)\n",
    "detection": "function analyze_banner(banner)\n",
}
DEADLY = "skipped killed"  # what the others of a dying lane, and those after quarantine, may be


@dataclass
class Row:
    name: str
    kind: str
    lua: str
    status: str = "ok"
    capabilities: str = ""
    results: dict = field(default_factory=dict)
    manifest: str = ""  # further lines
    harmless: bool = True  # the records' own fields are as without it
    phase: str = ""  # what the log says of a phase hook that failed

    def main(self):
        if self.lua.lstrip().startswith("function "):
            return self.lua
        return HEADS[self.kind] + self.lua + "\nend\n"


def raised(expression, text):
    """A body: @expression must raise an error that holds @text; then the result `caught` is true."""
    return (
        f"local ok, why = pcall(function() {expression} end)\n"
        f'if ok then error("nothing raised") end\n'
        f'if not tostring(why):find("{text}", 1, true) then error("raised: " .. tostring(why)) end\n'
        f'prtip.add_result("caught", true)'
    )


CAUGHT = {"caught": True}
FINE = {"fine": True}
FINE_LUA = '\nprtip.add_result("fine", true)'
SLEEP = "prtip.sleep(0.001); "
LIMITS = "[plugin.limits]\ncpu_seconds = 0.1\n"


def deadly(name, status, lua, kind="scan", **more):
    return Row(name, kind, lua, f"{status} {DEADLY}", manifest=LIMITS, **more)


LOOPS = [
    deadly("loop", "instructions", "while true do end"),
    deadly("loop-pcall", "instructions", "while true do pcall(function() while true do end end) end"),
    deadly("loop-xpcall", "instructions", "xpcall(function() error(1) end, function() while true do end end)"),
    deadly("loop-goto", "instructions", "::a:: goto a"),
    deadly("loop-coroutine", "instructions", "while true do coroutine.wrap(function() for i = 1, 99 do end end)() end"),
    deadly("loop-deep-coroutine", "instructions|timeout",
        "local function f(n) if n > 100 then while true do end end coroutine.wrap(f)(n + 1) end f(1)"),
    deadly("loop-index", "instructions",
        "local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) while true do pcall(function() return t[1] end) end"),
    deadly("loop-concat", "instructions|timeout", "local s = '' while true do s = #s > 1000 and '' or s .. 'x' end"),
    deadly("loop-sort", "instructions", "local t = {} for i = 1, 99 do t[i] = i end while true do table.sort(t, function(a, b) return a > b end) end"),
    deadly("loop-gsub", "instructions", "while true do ('aaa'):gsub('a', function() while true do end end) end"),
    deadly("loop-iterator", "instructions", "for _ in function() return 1 end do end"),
    deadly("loop-tostring", "instructions", "tostring(setmetatable({}, {__tostring = function() while true do end end}))"),
    deadly("loop-format", "instructions", "string.format('%s', setmetatable({}, {__tostring = function() while true do end end}))"),
    deadly("loop-eq", "instructions", "local m = {__eq = function() while true do end end} return setmetatable({}, m) == setmetatable({}, m)"),
    deadly("edge-recursion", "instructions|timeout", "local function f() pcall(f) pcall(f) return f() end f()"),
    deadly("edge-xpcall", "instructions|timeout", "local function f() xpcall(f, f) return f() end while true do pcall(f) end"),
    deadly("log-loop", "instructions|timeout", "while true do pcall(prtip.log, 'debug', 'x') end"),
    deadly("add-loop", "instructions|timeout", "while true do pcall(prtip.add_result, 'k', {1, 2, 3}) end"),
    deadly("loop-detect", "instructions", "while true do end", kind="detection"),
    deadly("loop-output", "instructions", "while true do end", kind="output"),
    deadly("loop-probe-service", "instructions", "\nfunction probe_service(target) while true do end end", kind="detection"),
    deadly("bomb-find", "timeout", "('a'):rep(50000):find(('.-'):rep(50) .. 'b')"),
    deadly("bomb-match", "timeout", "pcall(string.match, ('x'):rep(100000), ('x*'):rep(40) .. 'y')"),
    deadly("bomb-gsub", "timeout", "pcall(string.gsub, ('a'):rep(300000), '.-.-.-b', '')"),
    deadly("bomb-banner", "timeout", "(('a'):rep(50000) .. banner):find(('.-'):rep(50) .. '\\1')", kind="detection"),
    deadly("sleep-loop-bomb", "timeout", SLEEP + "('a'):rep(50000):find(('.-'):rep(50) .. 'b')", capabilities="network"),
    deadly("sleep-loop", "instructions", "while true do pcall(prtip.sleep, 0) for i = 1, 1000 do end end", capabilities="network"),
    Row("sleep-forever", "scan", "prtip.sleep(1e9)", "timeout", "network", manifest="[plugin.limits]\nwall_seconds = 0.5\n"),
    Row("sleep-pcall", "scan", "while true do pcall(prtip.sleep, 1) end", "timeout", "network",
        manifest="[plugin.limits]\nwall_seconds = 0.5\n"),
]

MEMORY = [
    Row("hog-table", "scan", "local t = {} for i = 1, 1e9 do t[i] = {i} end", "instructions|memory|timeout " + DEADLY),
    Row("hog-string", "scan", "local s = 'x' while true do s = s .. s end", "memory"),
    Row("hog-rep", "scan", "return ('x'):rep(2^30)", "memory"),
    Row("hog-pcall", "scan", "for i = 1, 20 do pcall(string.rep, 'x', 2^30) end" + FINE_LUA, results=FINE),
    Row("hog-concat", "scan", "local t = {} for i = 1, 3000 do t[i] = ('x'):rep(99999) end table.concat(t)", "memory"),
    Row("hog-globals", "scan", "_G[#_G + 1] = ('x'):rep(8e6) .. target.ip .. target.port", "memory ok"),
    Row("hog-coroutines", "scan", "local t = {} for i = 1, 1e5 do t[i] = coroutine.create(function() end) coroutine.resume(t[i]) t[i] = ('x'):rep(2e4) .. i end",
        "memory|instructions|timeout " + DEADLY),
    Row("hog-format", "scan", "return string.rep('%s', 100):format(unpack((function() local t = {} for i = 1, 100 do t[i] = ('x'):rep(2e6) .. i end return t end)()))", "memory"),
    Row("hog-output", "output", "return ('x'):rep(20e6)", "error"),
    Row("hog-output-16", "output", "return ('x'):rep(15e6)"),
    Row("hog-detect", "detection", "return {service = ('x'):rep(1e6)}", "error"),
    Row("hog-json", "scan", "local t = {} for i = 1, 40 do t = {t, t} end prtip.json_encode(t)", "error|memory|timeout|instructions " + DEADLY),
    Row("hog-unpack", "scan", raised("return unpack({}, 1, 1e7)", "too many results"), results=CAUGHT),
]

ERRORS = [
    Row("error-nil", "scan", "error(nil)", "error"),
    Row("error-none", "scan", "error()", "error"),
    Row("error-table", "scan", "error({})", "error"),
    Row("error-object", "scan", "error(setmetatable({}, {__tostring = function() while true do end end}))", "error"),
    Row("error-huge", "scan", "error(('x'):rep(10e6))", "error"),
    Row("error-escape", "scan", "error('\\27[31mred\\27]0;title\\7\\r\\n' .. ('\\8'):rep(50), 0)", "error"),
    Row("error-utf8", "scan", "error('\\255\\254\\0x\\237\\160\\128', 0)", "error"),
    Row("error-function", "scan", "error(print)", "error"),
    Row("error-denied-lie", "scan", "error('PermissionDenied: or so I say', 0)", "denied"),
    Row("error-memory-lie", "scan", "error('not enough memory', 0)", "memory"),
    Row("error-in-handler", "scan", "local ok = xpcall(error, function() error('x') end) if ok then error('?') end" + FINE_LUA, results=FINE),
    Row("error-detect", "detection", "error('x')", "error"),
    Row("error-probe-service", "detection", "\nfunction probe_service(target) error('x') end", "error ok"),
    Row("error-output", "output", "error('x')", "error"),
    Row("stack-overflow", "scan", "local function f() return 1 + f() end f()", "error"),
    Row("stack-tostring", "scan", "local t t = setmetatable({}, {__tostring = function() return tostring(t) end}) tostring(t)", "instructions " + DEADLY),
    Row("stack-gsub", "scan", "local function f() return ('x'):gsub('x', f) end f()", "error"),
    Row("stack-sort", "scan", "local function f() table.sort({1, 2, 3}, f) return true end f()", "error|timeout " + DEADLY),
    Row("stack-wrap", "scan", "local function f(n) if n == 0 then return 0 end return coroutine.wrap(f)(n - 1) end f(10000)", "error"),
    Row("stack-json", "scan", "local t = {} for i = 1, 1e5 do t = {t} end prtip.json_encode(t)", "error"),
    Row("stack-json-decode", "scan", "local v, why = prtip.json_decode(('['):rep(1e5)) if v then error('?') end" + FINE_LUA, "ok|error"),
    Row("stack-concat", "scan", "local t = setmetatable({}, {__concat = function(a, b) return a .. b end}) return t .. 'x'", "error"),
    Row("sort-invalid", "scan", "local t = {} for i = 1, 500 do t[i] = i end pcall(table.sort, t, function() return true end)" + FINE_LUA, results=FINE),
]

COROUTINES = [
    Row("yield-outside", "scan", "coroutine.yield('x')", "error"),
    Row("yield-forged", "scan", "coroutine.yield(nil, 1, prtip)", "error"),
    Row("resume-dead", "scan", "local c = coroutine.create(function() end) coroutine.resume(c) local ok = coroutine.resume(c) if ok then error('?') end" + FINE_LUA, results=FINE),
    Row("resume-self", "scan", "local c c = coroutine.create(function() return coroutine.resume(c) end) coroutine.resume(c)" + FINE_LUA, results=FINE),
    Row("yield-in-sort", "scan", "table.sort({3, 2, 1}, function() prtip.sleep(0) end)", "error", "network"),
    Row("yield-in-gsub", "scan", "('xx'):gsub('x', function() prtip.sleep(0) end)", "error", "network"),
    Row("yield-in-both", "scan", "coroutine.wrap(function() table.sort({3, 2, 1}, function() coroutine.wrap(prtip.sleep)(0) end) end)()", "error", "network"),
    Row("kept-target", "scan",
        "if kept then local ok, ip = pcall(function() return kept.ip end)\n"
        "if ok then error('a stale target said ' .. tostring(ip)) end end\n"
        "kept = target" + FINE_LUA, results=FINE),
    Row("kept-coroutine", "scan",
        "if co then local ok, ip = coroutine.resume(co) if ok then error('stale: ' .. tostring(ip)) end end\n"
        "co = coroutine.create(function(t) coroutine.yield() return t.ip end) coroutine.resume(co, target)" + FINE_LUA, results=FINE),
    Row("kept-waiting", "scan",
        "all = all or {} for _, c in ipairs(all) do if coroutine.status(c) == 'normal' and coroutine.resume(c) then error('resumed') end end\n"
        "local c = coroutine.create(function() prtip.sleep(0.05) prtip.add_result('mine', target.ip) end)\n"
        "all[#all + 1] = c assert(coroutine.resume(c))\n"
        "local mine = target.ip if prtip.get_target().ip ~= mine then error('not mine') end" + FINE_LUA,
        capabilities="network", results=FINE),
    Row("kept-function", "scan",
        "local ip = target.ip local get = prtip.get_target\nprtip.sleep(0.01)\n"
        "if get().ip ~= ip or prtip.target_info.ip ~= ip or target.ip ~= ip then error('another record') end" + FINE_LUA,
        capabilities="network", results=FINE),
    Row("kept-socket", "scan", "if kept then local ok = pcall(prtip.send, kept, 'x') if ok then error('?') end end kept = prtip.connect(target.ip, 80)" + FINE_LUA,
        capabilities="network", results=FINE),
    Row("forged-socket", "scan", "for _, v in ipairs({1, 'x', {}, target, print, true}) do if pcall(prtip.send, v, 'x') or pcall(prtip.receive, v, 1) or pcall(prtip.close, v) then error('taken') end end" + FINE_LUA,
        capabilities="network", results=FINE),
    Row("coroutine-flood", "scan", "for i = 1, 2000 do coroutine.wrap(function() coroutine.yield() end)() end" + FINE_LUA, results=FINE),
]

ABSENT = ["debug", "io", "os", "package", "ffi", "jit", "load", "loadstring", "loadfile", "dofile",
    "getfenv", "setfenv", "newproxy", "collectgarbage", "module", "gcinfo"]

ESCAPES = [
    Row("absent", "scan", "for _, n in ipairs({%s}) do if _G[n] ~= nil then error(n .. ' is there') end end"
        % ", ".join(f'"{name}"' for name in ABSENT) + FINE_LUA, results=FINE),
    Row("dump", "scan", "if ('').dump or string.dump then error('?') end" + FINE_LUA, results=FINE),
    Row("dump-call", "scan", "string.dump(on_target)", "error"),
    Row("metatable-string", "scan", "local m = getmetatable('') if m then m.__index = nil end" + FINE_LUA, results=FINE),
    Row("metatable-set", "scan", raised("setmetatable('', {})", "table expected"), results=CAUGHT),
    Row("metatable-target", "scan", "if getmetatable(target) then error('?') end" + FINE_LUA, results=FINE),
    Row("metatable-number", "scan", "if getmetatable(1) or getmetatable(print) or getmetatable(nil) then error('?') end" + FINE_LUA, results=FINE),
    Row("globals-poisoned", "scan", "setmetatable(_G, {__index = function() error('x') end, __newindex = function() error('y') end})\nprtip.add_result('fine', true)", results=FINE),
    Row("globals-hooks", "scan", "on_target = nil on_load = 5 if _G then _G._G = nil end" + FINE_LUA, results=FINE),
    Row("string-poisoned", "scan", "string.rep = nil string.find = error string.format = function() return '!' end tostring = nil pcall = nil type = nil" + FINE_LUA, results=FINE),
    Row("prtip-poisoned", "scan", "rawset(prtip, 'add_result', nil) rawset(prtip, 'log', error) prtip.each = nil", "ok"),
    Row("prtip-wrapped", "scan", "if not done then local add = prtip.add_result prtip.add_result = function(k, v) add(k, 'lie') end done = true end\nprtip.add_result('fine', true)", results={"fine": "lie"}),
    Row("view-write", "scan", raised("target.ip = '1.2.3.4'", "read-only"), results=CAUGHT),
    Row("view-rawset", "scan", raised("rawset(result, 'port', 1)", "table expected"), results=CAUGHT),
    Row("view-rawget", "scan", raised("rawget(result, 'port')", "table expected"), results=CAUGHT),
    Row("view-pairs", "scan", "local n = 0 for k, v in pairs(result) do n = n + 1 end if n < 5 then error(n) end" + FINE_LUA, results=FINE),
    Row("view-compare", "scan", raised("return target < result", "compare"), results=CAUGHT),
    Row("view-index", "scan", "for _, k in ipairs({1, true, '__index', '__gc', '__metatable', '', ('x'):rep(1e6), 0/1, {}}) do if target[k] ~= nil then error('?') end end" + FINE_LUA, results=FINE),
    Row("view-inherit", "scan", "local t = setmetatable({}, {__index = target}) if t.ip ~= target.ip then error('?') end" + FINE_LUA, results=FINE),
    Row("config-write", "scan", raised("prtip.scan_config.rate = 1e9", "read-only"), results=CAUGHT),
    Row("config-rawset", "scan", "rawset(prtip.scan_config, 'rate', 1) rawset(prtip.target_info, 'ip', 'x') if getmetatable(prtip.scan_config) then error('?') end" + FINE_LUA, results=FINE),
    Row("require-out", "scan", "for _, n in ipairs({'os', 'ffi', 'io', 'jit', 'lib.x/../../etc/passwd', '../x', '/etc/passwd', '', 'a\\0b', ('x'):rep(5000), 'string.buffer', 'table.new', 'jit.util'}) do if pcall(require, n) then error(n) end end" + FINE_LUA, results=FINE),
    Row("require-types", "scan", "for _, v in ipairs({1, true, {}, print}) do if pcall(require, v) then error('?') end end" + FINE_LUA, results=FINE),
    Row("addresses", "scan", "for _, v in ipairs({{}, print, target, coroutine.create(print), prtip, prtip.scan_config}) do if tostring(v):find('0x') or ('%s'):format(v):find('0x') then error(tostring(v)) end end" + FINE_LUA, results=FINE),
    Row("address-format", "scan", raised("return ('%p'):format({})", "%p"), results=CAUGHT),
    Row("address-error", "scan", "local ok, why = pcall(error, {}) ok, why = pcall(function() return {} .. print end) if why:find('0x') then error('?') end" + FINE_LUA, results=FINE),
    Row("tostring-patched", "scan", "tostring = function() return 1 end string.format = nil print(setmetatable({}, {__tostring = function() return 'x' end}))" + FINE_LUA, results=FINE),
    Row("format-wild", "scan", "for _, f in ipairs({'%9999d', '%n', '%', '%s%s%s', '%-+ #0d%c%*d', '%.9999f'}) do pcall(string.format, f, 1) end" + FINE_LUA, results=FINE),
    Row("metamethod-mode", "scan", "local t = setmetatable({}, {__mode = 'kv', __gc = function() while true do end end}) for i = 1, 1000 do t[{}] = {} end" + FINE_LUA, results=FINE),
    Row("utf8-bounds", "scan", "for _, n in ipairs({-1e308, 1e308, 0/0, 2^53, -2^31, 2^31}) do pcall(utf8.char, n) pcall(utf8.offset, 'x', n) pcall(utf8.len, 'x', n, n) pcall(utf8.codepoint, 'x', n, n) pcall(string.sub, 'x', n, n) pcall(string.byte, 'x', n, n) end" + FINE_LUA, results=FINE),
    Row("bit-bounds", "scan", "for _, n in ipairs({-1e308, 1e308, 0/0, 2^53}) do pcall(bit.lshift, n, n) pcall(bit.tohex, n, n) pcall(table.remove, {}, n) pcall(math.random, n) pcall(select, n, 1) end" + FINE_LUA, results=FINE),
    deadly("insert-far", "timeout", "pcall(table.insert, {}, -1e9, 1)"),
    Row("table-huge-index", "scan", "local t = {} t[2^31] = 1 t[-2^53] = 1 pcall(table.concat, t, ',', -2^31, 2^31) pcall(table.insert, t, 1)" + FINE_LUA, "ok|timeout|memory|error " + DEADLY, manifest=LIMITS),
]

RESULTS = [
    Row("add-cycle", "scan", "local t = {} t[1] = t " + raised("prtip.add_result('k', t)", "add_result"), results=CAUGHT),
    Row("add-function", "scan", raised("prtip.add_result('k', print)", "add_result"), results=CAUGHT),
    Row("add-userdata", "scan", raised("prtip.add_result('k', target)", "add_result"), results=CAUGHT),
    Row("add-nan", "scan", raised("prtip.add_result('k', 0/0)", "add_result"), results=CAUGHT),
    Row("add-inf", "scan", raised("prtip.add_result('k', {math.huge})", "add_result"), results=CAUGHT),
    Row("add-utf8", "scan", raised("prtip.add_result('k', '\\255')", "add_result"), results=CAUGHT),
    Row("add-utf8-key", "scan", raised("prtip.add_result('\\255', 1)", "add_result"), results=CAUGHT),
    Row("add-utf8-inner-key", "scan", raised("prtip.add_result('k', {['\\237\\160\\128'] = 1})", "add_result"), results=CAUGHT),
    Row("add-newline-key", "scan", "prtip.add_result('a\\nb\\0c\\\"\\\\', '\\n\\r\\t\\27')", results={'a\nb\0c"\\': "\n\r\t\x1b"}),
    Row("add-65536", "scan", raised("prtip.add_result('k', ('x'):rep(65537))", "add_result"), results=CAUGHT),
    Row("add-many", "scan", "local ok for i = 1, 10000 do ok = pcall(prtip.add_result, 'k' .. i, 1) if not ok then break end end if ok then error('?') end", "ok|instructions|timeout " + DEADLY),
    Row("add-fill", "scan", "prtip.add_result('a', ('x'):rep(60000)) if pcall(prtip.add_result, 'b', ('x'):rep(6000)) then error('?') end"),
    Row("add-deep", "scan", "local t = {} for i = 1, 33 do t = {t} end " + raised("prtip.add_result('k', t)", "add_result"), results=CAUGHT),
    Row("add-pairs", "scan", "prtip.add_result('k', setmetatable({a = 1}, {__pairs = function() while true do end end, __index = function() while true do end end, __len = function() return 1e9 end}))", results={"k": {"a": 1}}),
    Row("add-sparse", "scan", "pcall(prtip.add_result, 'k', {[1] = 1, [1e9] = 2}) pcall(prtip.add_result, 'k', {1, nil, 3, x = 4}) pcall(prtip.add_result, 'k', {[true] = 1})" + FINE_LUA, results=FINE),
    Row("add-nil", "scan", "pcall(prtip.add_result) pcall(prtip.add_result, nil, 1) pcall(prtip.add_result, 'k') pcall(prtip.add_result, {}, 1)" + FINE_LUA, results=FINE),
    Row("add-own-field", "scan", "prtip.add_result('status', 'ok') prtip.add_result('ip', '9.9.9.9') prtip.add_result('plugins', {good = {status = 'error'}})", results={"ip": "9.9.9.9"}),
    Row("add-wide", "scan", "local t = {} for i = 1, 60 do t = {t, t} end " + raised("prtip.add_result('k', t)", "add_result"), "ok|timeout|instructions " + DEADLY, manifest=LIMITS),
    Row("lie-return", "scan", "return 'x', {}, print, target"),
    Row("lie-confidence-nan", "detection", "return {service = 'x', confidence = 0/0}", "error"),
    Row("lie-confidence-2", "detection", "return {service = 'x', confidence = 2}", "error"),
    Row("lie-confidence-minus", "detection", "return {service = 'x', confidence = -1}", "error"),
    Row("lie-confidence-text", "detection", "return {service = 'x', confidence = 'x'}", "error"),
    Row("lie-utf8", "detection", "return {service = '\\255\\254'}", "error"),
    Row("lie-nul", "detection", "return {service = 'a\\0b'}", "error"),
    Row("lie-function", "detection", "return {service = print}", "error"),
    Row("lie-number", "detection", "return 5", "error"),
    Row("lie-target", "detection", "return {service = {}, product = {}}", "error"),
    Row("lie-unsure", "detection", "return {service = 'lie', confidence = 0}", harmless=False),
    Row("lie-metatable", "detection", "return setmetatable({}, {__index = function() while true do end end})", harmless=False),
    Row("lie-format-number", "output", "return 5", "error"),
    Row("lie-format-table", "output", "return setmetatable({}, {__tostring = function() return 'x' end})", "error"),
    Row("lie-format-bytes", "output", "return '\\0\\255\\n\\27[2J'"),
]

LOGS = [
    Row("log-flood", "scan", "for i = 1, 3000 do prtip.log('error', 'flood ' .. i) end" + FINE_LUA, results=FINE),
    Row("log-escape", "scan", "prtip.log('error', '\\27[31mred\\27]0;t\\7\\n2026 fake line\\r\\8\\194\\155[2J') print('\\27c\\0')" + FINE_LUA, results=FINE),
    Row("log-huge", "scan", "prtip.log('error', ('y'):rep(10e6))" + FINE_LUA, results=FINE),
    Row("log-utf8", "scan", "prtip.log('error', '\\255\\254%s%n%d')" + FINE_LUA, results=FINE),
    Row("log-level", "scan", "for _, l in ipairs({'fatal', '', '\\0', 5, {}, print}) do if pcall(prtip.log, l, 'x') then error('?') end end" + FINE_LUA, results=FINE),
]

BAD_NAMES = ("{'../x', '/etc/passwd', 'a/../../b', '..', '.', '', 'a\\0b', ('x'):rep(5000), 'link', 'link/x', 'fifo', '/proc/self/mem',"
    " 'folder/../../../.bashrc', './../x', '//etc/passwd', ('../'):rep(300) .. 'etc/passwd', 'dirlink/passwd', 'folder'}")

FILES = [
    Row("file-denied", "scan", "prtip.read_file('x')", "denied"),
    Row("file-denied-write", "scan", "prtip.write_file('x', 'y')", "denied"),
    Row("file-read", "scan", "for _, n in ipairs(%s) do local ok, data = pcall(prtip.read_file, n) if ok and data then error(n .. ': ' .. data) end end" % BAD_NAMES + FINE_LUA, capabilities="filesystem", results=FINE),
    Row("file-write", "scan", "for _, n in ipairs(%s) do local ok, done = pcall(prtip.write_file, n, 'x') if ok and done then error(n) end ok, done = pcall(prtip.append_file, n, 'x') if ok and done then error(n) end end" % BAD_NAMES + FINE_LUA, capabilities="filesystem", results=FINE),
    Row("file-types", "scan", "for _, v in ipairs({{}, print, true, target}) do if pcall(prtip.read_file, v) or pcall(prtip.write_file, v, 'x') or pcall(prtip.write_file, 'x', v) then error('?') end end" + FINE_LUA, capabilities="filesystem", results=FINE),
    Row("file-big", "scan", "prtip.write_file('big', ('x'):rep(4e6)) prtip.read_file('big')" + FINE_LUA, "ok|error|memory", capabilities="filesystem"),
]

NETWORK = [
    Row("net-denied-connect", "scan", "prtip.connect(target.ip, 80)", "denied"),
    Row("net-denied-probe", "scan", "prtip.scan_port(target.ip, 80)", "denied"),
    Row("net-denied-tls", "scan", "prtip.tls_probe(target.ip, 443, {})", "denied"),
    Row("net-denied-sleep", "scan", "prtip.sleep(0)", "denied"),
    Row("net-addresses", "scan", "for _, ip in ipairs({'127.0.0.1', '198.18.0.63', '10.0.0.1', '0.0.0.0', '255.255.255.255', '::1', 'localhost', '', ('1'):rep(1e6), '198.18.0.1\\0.x'}) do local s = prtip.connect(ip, 80) if s then error(ip) end end" + FINE_LUA, capabilities="network", results=FINE),
    Row("net-ports", "scan", "for _, p in ipairs({-1, 0, 1.5, 65536, 1e300, 0/0, 'x', {}, true}) do if pcall(prtip.connect, target.ip, p) or pcall(prtip.scan_port, target.ip, p) then error(tostring(p)) end end" + FINE_LUA, capabilities="network", results=FINE),
    Row("net-types", "scan", "for _, v in ipairs({{}, print, true, target}) do if pcall(prtip.connect, v, 80) or pcall(prtip.scan_port, v, 80) then error('?') end end pcall(prtip.connect, target.ip, 80, 'x') pcall(prtip.connect, target.ip, 80, {timeout = 1e300}) pcall(prtip.connect, target.ip, 80, {timeout = -1, tls = 5, protocol = {}})" + FINE_LUA, capabilities="network", results=FINE),
    Row("net-sleeps", "scan", "for _, s in ipairs({-1, 0/0, 1e308, math.huge, 'x', {}}) do if pcall(prtip.sleep, s) then error(tostring(s)) end end" + FINE_LUA, capabilities="network", results=FINE),
    Row("net-outside", "scan", "for _, ip in ipairs({'127.0.0.1', '198.18.0.63', '198.18.0.64', '8.8.8.8'}) do local s, why = prtip.scan_port(ip, 80) if why ~= 'denied' then error(ip .. ': ' .. tostring(s) .. tostring(why)) end end" + FINE_LUA, capabilities="network", results=FINE),
    Row("net-hello", "scan", "for _, o in ipairs({5, 'x', true}) do if pcall(prtip.tls_probe, target.ip, 443, o) then error('?') end end for _, o in ipairs({{versions = 5}, {ciphers = {('x'):rep(1e5)}}, {versions = {'TLSv9'}}, {server_name = ('x'):rep(1e6)}}) do pcall(prtip.tls_probe, target.ip, 443, o) end" + FINE_LUA, capabilities="network", results=FINE),
    Row("net-probe-flood", "scan", "local n = 0 for i = 1, 20 do if prtip.scan_port(target.ip, i) then n = n + 1 end end if n ~= 20 then error(n) end" + FINE_LUA, "ok", capabilities="network"),
]

PHASES = [
    Row("pre-loop", "scan", "function on_pre_scan(t) while true do end end\nfunction on_target() end", "ok", phase="instructions"),
    Row("pre-error", "scan", "function on_pre_scan(t) error('x') end\nfunction on_target() end", phase="error"),
    Row("pre-memory", "scan", "function on_pre_scan(t) return ('x'):rep(2^30) end\nfunction on_target() end", phase="memory"),
    Row("pre-ports", "scan", "function on_pre_scan(t) return {ports = '99999'} end\nfunction on_target() end"),
    Row("pre-widen", "scan", "function on_pre_scan(t) return {ports = '1-65535'} end\nfunction on_target() end"),
    Row("pre-exclude-junk", "scan", "function on_pre_scan(t) return {exclude = {'x', '1.2.3.4/99', '\\0\\255'}} end\nfunction on_target() end"),
    Row("pre-exclude-types", "scan", "function on_pre_scan(t) return {exclude = {{}, print}, ports = {}} end\nfunction on_target() end", phase="error"),
    Row("pre-exclude-million", "scan", "function on_pre_scan(t) local x = {} for i = 1, 150000 do x[i] = '198.19.0.1' end return {exclude = x} end\nfunction on_target() end", phase="error"),
    Row("pre-number", "scan", "function on_pre_scan(t) return 5 end\nfunction on_target() end", phase="error"),
    Row("pre-index", "scan", "function on_pre_scan(t) for _, i in ipairs({0, -1, 1.5, 1e300, 2^53, 0/1, 'x', {}}) do if t[i] ~= nil then error('?') end end if pcall(function() t[1] = 2 end) then error('!') end kept = t end\nfunction on_target() if pcall(function() return kept[1] end) then error('kept') end" + FINE_LUA + " end", results=FINE),
    Row("post-loop", "scan", "function on_target() end\nfunction on_post_scan(r) while true do end end", phase="instructions"),
    Row("post-bomb", "scan", "function on_target() end\nfunction on_post_scan(r) ('a'):rep(50000):find(('.-'):rep(50) .. 'b') end", phase="timeout"),
    Row("post-error", "scan", "function on_target() end\nfunction on_post_scan(r) error('x') end", phase="error"),
    Row("post-refetch", "scan", "function on_target() end\nfunction on_post_scan(r) for i = 1, 1e9 do local _ = r[1] end end", phase="timeout"),
    Row("post-sleep", "scan", "function on_target() end\nfunction on_post_scan(r) prtip.sleep(1e6) end", capabilities="network", phase="timeout"),
    Row("unload-loop", "scan", "function on_target() end\nfunction on_unload() while true do pcall(error) end end"),
    Row("unload-error", "scan", "function on_target() end\nfunction on_unload() error('x') end"),
    Row("unload-memory", "scan", "function on_target() end\nfunction on_unload() local s = 'x' while true do s = s .. s end end"),
]

EXPORTS = [
    Row("export-loop", "output", "function export(r, path) while true do end end", phase="instructions"),
    Row("export-error", "output", "function export(r, path) error('x') end", phase="error"),
    Row("export-elsewhere", "output", "function export(r, path) for _, n in ipairs({'/tmp/x', path .. 'x', '../x', path .. '/../x'}) do if pcall(prtip.write_file, n, 'x') then error(n) end end assert(prtip.write_file(path, 'mine')) end"),
    Row("export-nothing", "output", "function export(r, path) return ('x'):rep(1e6) end"),
]

# Main chunks and on_load: refused before anything is sent.
HOOK = "\nfunction on_target() end"
LOAD = [
    Row("load-loop", "scan", "while true do end" + HOOK, "load-loop"),
    Row("load-bomb", "scan", "local _ = ('a'):rep(50000):find(('.-'):rep(50) .. 'b')" + HOOK, "load-bomb"),
    Row("load-error", "scan", "error('\\27[31mbroken')" + HOOK, "broken"),
    Row("load-hog", "scan", "local s = 'x' while true do s = s .. s end" + HOOK, "memory"),
    Row("load-yield", "scan", "coroutine.yield()" + HOOK, "load-yield"),
    Row("load-no-hook", "scan", "on_target = nil --" + HOOK + "\non_target = setmetatable({}, {__call = print})", "hook"),
    Row("load-string", "scan", "function on_load() return '\\27]0;no\\7 thanks' end" + HOOK, "thanks"),
    Row("load-number", "scan", "function on_load() return 5 end" + HOOK, "on_load"),
    Row("load-raise", "scan", "function on_load(config) config.x.y = 1 end" + HOOK, "main.lua:1"),
    Row("load-sleep", "scan", "function on_load() while true do end end" + HOOK, "load-sleep"),
    Row("load-connect", "scan", "function on_load() assert(prtip.connect('127.0.0.1', 80)) end" + HOOK, "load-connect", "network"),
    Row("load-add", "scan", "prtip.add_result('k', 1)" + HOOK, "no target"),
    Row("load-denied", "scan", "prtip.read_file('x')" + HOOK, "PermissionDenied"),
    Row("load-cdata", "scan", "local x = 1LL" + HOOK, "main.lua"),
    Row("load-bytecode", "scan", "\x1bLJ\x02\x02" + HOOK, "main.lua"),
    Row("load-syntax", "scan", "function on_target(" , "main.lua:"),
    Row("load-recursion", "scan", "local function f() pcall(f) pcall(f) return f() end f()" + HOOK, "load-recursion"),
    Row("load-require", "scan", "require('ffi')" + HOOK, "lib/ffi.lua"),
]

BATCHES = {
    "loops": LOOPS, "memory": MEMORY, "errors": ERRORS, "coroutines": COROUTINES, "escapes": ESCAPES,
    "results": RESULTS, "logs": LOGS, "files": FILES, "network": NETWORK, "phases": PHASES,
    "exports": EXPORTS,
}
