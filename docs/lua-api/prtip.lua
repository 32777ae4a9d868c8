---@meta
-- SPDX-License-Identifier: BSD-3-Clause
--
-- The API of prtip-dp's plugins, version 1.0, for LuaLS (lua-language-server) and editors that use it:
-- completion, signatures, type checks. It is no part of a plugin and is never run.
-- docs/plugin-guide.md tells how to set it up, and what each function is for.

-- ---- Words ----

---@alias prtip.LogLevel "debug"|"info"|"warn"|"error"
---@alias prtip.Protocol "tcp"|"udp"|"sctp"|"icmp"|"arp"|"ndp"
---@alias prtip.State "open"|"closed"|"filtered"|"unfiltered"|"up"
---@alias prtip.ProbeState "open"|"closed"|"filtered"|"no-answer"
---@alias prtip.ScanType "syn"|"ack"|"window"|"fin"|"null"|"xmas"|"maimon"|"udp"|"icmp"|"arp"|"ndp"|"sctp"|"discovery"
---@alias prtip.TlsVersion "TLSv1.0"|"TLSv1.1"|"TLSv1.2"|"TLSv1.3"
---@alias prtip.HelloVersion "SSLv2"|"SSLv3"|prtip.TlsVersion
---@alias prtip.Status "ok"|"error"|"denied"|"memory"|"instructions"|"timeout"|"killed"|"skipped"

--- What JSON can hold: prtip.null stands for null.
---@alias prtip.Json string|number|boolean|userdata|table

--- A setting: what stands in [config] of plugin.toml, changed by [plugin:NAME] and --plugin-arg.
---@alias prtip.Setting string|number|boolean|string[]|number[]|boolean[]

-- ---- What hooks get ----

--- An address and port, an element of on_pre_scan()'s targets. Read-only. tostring() gives 198.18.0.1:80/tcp
--- or [2001:db8::1]:80/tcp.
---@class prtip.Target
---@field ip string an IPv6 address as in RFC 5952
---@field port? integer nil in scans of types without ports
---@field protocol prtip.Protocol
---@field proto prtip.Protocol the same as protocol

--- All that is known of a result; a hook's target has it, too. Read-only, and gone with its result: copy what
--- is to be kept.
---@class prtip.Result : prtip.Target
---@field state prtip.State
---@field reason string why, in nmap's words: syn-ack, reset, port-unreach ...
---@field zero_window? true where an open port lets nobody send, as tarpits do
---@field ttl integer
---@field rtt_us? number microseconds; nil where the answer echoes no send time
---@field ts string time of the answer, 2026-01-31T12:00:00.123456Z
---@field banner? string the bytes, where [banner] is on and there are some
---@field service? string its name
---@field product? string
---@field version? string
---@field info? string
---@field os? string hint at the operating system
---@field cpe? string
---@field confidence? number 0 to 1
---@field source? string the plugin that named the service, or builtin
---@field plugins? table<string, prtip.Said> what plugins before this one said; at the end, all of them

--- What one plugin said about a result.
---@class prtip.Said
---@field status prtip.Status
---@field error? string
---@field results? table<string, prtip.Json> of add_result()

--- The scan's targets in its order. Read-only; lives as long as the hook that got it.
---@class prtip.Targets
---@field [integer] prtip.Target
---@operator len: integer

--- All results that are written, whatever [plugin.match] says. Read-only; lives as long as the hook that got it.
--- Forwards is fast. The limit of instructions holds from one element to the next, so none for a long sort() at
--- the end.
---@class prtip.Results
---@field [integer] prtip.Result
---@operator len: integer

-- ---- What hooks return ----

--- Of analyze_banner() and probe_service(). All fields are text of one line, in UTF-8.
---@class prtip.Service
---@field service? string at most 63 bytes, as the others but for: product 127, info 191, cpe 159
---@field product? string
---@field version? string
---@field info? string
---@field os? string hint at the operating system
---@field cpe? string
---@field confidence? number 0 to 1; 0.5 where it is not given

--- Of on_pre_scan(): what is left of the plan. It never becomes wider.
---@class prtip.Narrowing
---@field ports? string those ports of the plan that stay, "80,443,8000-8010"
---@field exclude? string|string[] addresses, prefixes and ranges that go

-- ---- Hooks ----
--
-- Write the hook's name above the function, and its parameters have their types:
--     ---@type prtip.hook.on_target
--     function on_target(target, result)

--- All types: once, before anything is sent. A string that it returns ends the run.
---@alias prtip.hook.on_load fun(config: table<string, prtip.Setting>): string?
--- All types: once in each lane that ends in peace.
---@alias prtip.hook.on_unload fun()
--- scan: once, before the first probe.
---@alias prtip.hook.on_pre_scan fun(targets: prtip.Targets): prtip.Narrowing?
--- scan: for each result that [plugin.match] lets through.
---@alias prtip.hook.on_target fun(target: prtip.Result, result: prtip.Result)
--- scan: once, after the last result. An error in it is logged, and changes no exit status.
---@alias prtip.hook.on_post_scan fun(results: prtip.Results)
--- output: for each result; the strings are written one behind the other.
---@alias prtip.hook.format_result fun(result: prtip.Result): string?
--- output: once, after the last result; writes to path.
---@alias prtip.hook.export fun(results: prtip.Results, path: string)
--- detection: for each result that has a banner, whoever knows the service; it may use sockets.
---@alias prtip.hook.analyze_banner fun(banner: string): prtip.Service?
--- detection: while no service is known, or its confidence is below 0.8.
---@alias prtip.hook.probe_service fun(target: prtip.Result): prtip.Service?

-- ---- prtip ----

---@class prtiplib
prtip = {}

--- Write a line to the run's log. debug is shown with -v only. At most 50 lines a second are.
---@param level prtip.LogLevel
---@param message string|number at most 1024 bytes of it
function prtip.log(level, message) end

--- The target that is being handled; nil in hooks that run once.
---@return prtip.Result? target
function prtip.get_target() end

--- The type of the scan.
---@return prtip.ScanType
function prtip.get_scan_type() end

--- The scan's settings. Read-only.
---@class prtip.ScanConfig
---@field scan_type prtip.ScanType
---@field rate number probes a second; 0: unlimited
---@field timing integer 0 to 5
---@field flags string the probe's TCP flags, "S" of a SYN scan
---@field ports string as ranges, "22,80,8000-8010"
---@field seed number|string a string of digits where it is over 2^53

---@type prtip.ScanConfig
prtip.scan_config = {}

--- The fields of the result that is being handled; all nil in hooks that run once. Read-only.
---@type prtip.Result
prtip.target_info = {}

--- Add to the result's record: plugins.NAME.results[key] = value. The last value of a key wins. Raises
--- where there is no target, the value is not JSON, or one record would have more than 64 KiB.
---@param key string
---@param value string|number|boolean|table
function prtip.add_result(key, value) end

--- for i, element in prtip.each(sequence), from the first to the last.
---@overload fun(sequence: prtip.Results): fun(): integer, prtip.Result
---@overload fun(sequence: prtip.Targets): fun(): integer, prtip.Target
---@param sequence table
---@return fun(): integer?, any
function prtip.each(sequence) end

--- Seconds since 1970-01-01 UTC, in microseconds' steps.
---@return number
function prtip.now() end

-- ---- Sockets: capability network ----

--- A connection. It belongs to the result that opened it, and is closed with it.
---@class prtip.Socket : userdata

--- How to make a TLS connection. The certificate is not verified: tls_info() tells what it is.
---@class prtip.TlsOptions
---@field timeout? number seconds for the handshake; 10. Of start_tls() only
---@field server_name? string for SNI
---@field ciphers? string of TLS up to 1.2, in OpenSSL's words
---@field min_version? prtip.TlsVersion
---@field max_version? prtip.TlsVersion
---@field alpn? string[] at most 8

---@class prtip.ConnectOptions
---@field timeout? number seconds, 10
---@field protocol? "tcp"|"udp"
---@field tls? boolean|prtip.TlsOptions over tcp only

--- Connect to an address in the plugin's scope. Capability network.
---@param ip string
---@param port integer
---@param options? prtip.ConnectOptions
---@return prtip.Socket? sock nil: it failed
---@return string? error "Connection refused", "timeout", "denied", "no network on this port" ...
function prtip.connect(ip, port, options) end

--- Send all of the data. Capability network.
---@param sock prtip.Socket
---@param data string at most 16 MiB
---@param timeout? number seconds, 10
---@return integer? sent its length; nil: it failed
---@return string? error
function prtip.send(sock, data, timeout) end

--- Wait for bytes. Over TCP those that are there, at most max_bytes, and "" at the end of the stream; over
--- UDP one datagram. Capability network.
---@param sock prtip.Socket
---@param max_bytes integer
---@param timeout? number seconds, 10
---@return string? data nil: it failed
---@return string? error "timeout" ...
function prtip.receive(sock, max_bytes, timeout) end

--- Close the connection; a second time does no harm. Capability network.
---@param sock prtip.Socket
---@return true
function prtip.close(sock) end

--- Go on with TLS, after STARTTLS for instance. Capability network.
---@param sock prtip.Socket
---@param options? prtip.TlsOptions
---@return true? ok nil: it failed
---@return string? error
function prtip.start_tls(sock, options) end

--- What the handshake told. Capability network.
---@param sock prtip.Socket
---@return prtip.TlsInfo? info nil: there is no TLS on it
---@return string? error
function prtip.tls_info(sock) end

---@class prtip.TlsInfo
---@field protocol? prtip.TlsVersion
---@field cipher? string IANA's name
---@field cipher_bits? number
---@field group? string of the key exchange, "x25519"
---@field alpn? string
---@field server_name? string that was asked for
---@field certificate? prtip.Certificate the server's own
---@field chain prtip.Certificate[] all that it sent

---@class prtip.Certificate
---@field subject string
---@field issuer string
---@field common_name? string
---@field issuer_common_name? string
---@field names string[] DNS names and addresses it is for
---@field not_before number seconds since 1970
---@field not_before_text string 2026-01-31T12:00:00Z
---@field not_after number
---@field not_after_text string
---@field serial string hex
---@field version number 3 mostly
---@field key_type string rsa, ec, ed25519 ...
---@field key_bits? number
---@field curve? string
---@field signature? string its algorithm
---@field sha1 string fingerprint, hex
---@field sha256 string fingerprint, hex
---@field self_signed boolean
---@field ca boolean
---@field der string all of it

---@class prtip.TlsProbeOptions
---@field versions? prtip.HelloVersion|prtip.HelloVersion[] that are offered; TLSv1.0 to TLSv1.3
---@field ciphers? string|number|(string|number)[] IANA's or OpenSSL's names, numbers, or classes; "ALL"
---@field server_name? string
---@field alpn? string[]
---@field timeout? number seconds for each step, 10
---@field sock? prtip.Socket a connection that is ready for TLS; it is closed afterwards

--- What the server answers to a ClientHello, without a handshake. Capability network.
---@param ip string
---@param port integer
---@param options? prtip.TlsProbeOptions
---@return prtip.TlsHello? hello nil: it failed
---@return string? error
function prtip.tls_probe(ip, port, options) end

--- Either an alert, or what the server picked.
---@class prtip.TlsHello
---@field alert? prtip.TlsAlert
---@field version? string TLSv1.2, SSLv3, or 0x0305
---@field cipher? string IANA's name, or its number as 0x1301
---@field cipher_id? number
---@field compression? string
---@field group? string
---@field alpn? string
---@field extensions? number[]
---@field hello_retry? boolean

---@class prtip.TlsAlert
---@field level string warning, fatal
---@field description string handshake_failure, protocol_version ...

--- One probe through the packet core, within the scan's rate: up to 2 s. Capability network.
---@param ip string
---@param port integer
---@param protocol? "tcp"|"udp"
---@return prtip.ProbeState? state nil: it failed
---@return string? error
function prtip.scan_port(ip, port, protocol) end

--- Wait; other results go on meanwhile. Capability network.
---@param seconds number
---@return true
function prtip.sleep(seconds) end

-- ---- Files: capability filesystem ----
--
-- Names are relative to ~/.prtip/data/NAME. The path that export() got needs no capability.

--- The whole file. Capability filesystem.
---@param name string
---@return string? data nil: it failed
---@return string? error
function prtip.read_file(name) end

--- Make it the file's content. Capability filesystem.
---@param name string
---@param data string
---@return true? ok nil: it failed
---@return string? error
function prtip.write_file(name, data) end

--- Append it to the file, which is made where there is none. Capability filesystem.
---@param name string
---@param data string
---@return true? ok nil: it failed
---@return string? error
function prtip.append_file(name, data) end

-- ---- Helpers ----

--- Stands for JSON's null within tables.
---@type userdata
prtip.null = nil

--- JSON of a value; raises where it has none. An empty table is an object.
---@param value prtip.Json
---@return string
function prtip.json_encode(value) end

--- The value of JSON text.
---@param text string
---@return prtip.Json? value
---@return string? error where in the text, and what
function prtip.json_decode(text) end

--- A table that can be called: prtip.hex(data) is prtip.hex.encode(data).
---@class prtip.Codec
---@overload fun(data: string): string
---@field encode fun(data: string): string
---@field decode fun(text: string): string?, string?

---@type prtip.Codec
prtip.base64 = {}

--- Lower-case hex.
---@type prtip.Codec
prtip.hex = {}

--- SHA-256 as lower-case hex.
---@param data string
---@return string
function prtip.sha256(data) end

-- ---- utf8: as in Lua 5.3 ----

---@class utf8lib
utf8 = {}

--- A pattern that matches one character of valid UTF-8.
---@type string
utf8.charpattern = ""

---@param ... integer code points
---@return string
function utf8.char(...) end

--- Code points of the characters that begin between i and j; raises where the text is not UTF-8.
---@param s string
---@param i? integer 1
---@param j? integer i
---@return integer ...
function utf8.codepoint(s, i, j) end

--- for place, code in utf8.codes(s)
---@param s string
---@return fun(s: string, place: integer): integer?, integer
---@return string
---@return integer
function utf8.codes(s) end

--- How many characters; nil and the place of the first byte that is none.
---@param s string
---@param i? integer 1
---@param j? integer -1
---@return integer? count
---@return integer? bad
function utf8.len(s, i, j) end

--- Where the n-th character from i on begins.
---@param s string
---@param n integer
---@param i? integer
---@return integer?
function utf8.offset(s, n, i) end

-- ---- test: in tests/*.lua only ----

---@class testlib
test = {}

--- Declare a case.
---@param name string
---@param run fun()
function test.case(name, run) end

--- Fail unless both are equal; tables by what is in them.
---@param got any
---@param wanted any
function test.equal(got, wanted) end

--- Fail where the value is false or nil.
---@generic T
---@param value T
---@param message? string
---@return T
function test.ok(value, message) end

--- Fail unless run() raises an error that has the piece in it.
---@param run fun()
---@param piece? string
---@return any error
function test.fails(run, piece) end

--- Fields of a target or result; those that are left out have their defaults.
---@class test.Fields
---@field ip? string
---@field port? integer
---@field protocol? prtip.Protocol
---@field proto? prtip.Protocol
---@field state? prtip.State
---@field reason? string
---@field zero_window? true
---@field ttl? integer
---@field rtt_us? number
---@field ts? string
---@field banner? string
---@field service? string
---@field product? string
---@field version? string
---@field info? string
---@field os? string
---@field cpe? string
---@field confidence? number
---@field source? string
---@field plugins? table<string, prtip.Said>

--- A target for a hook: by default ip "198.18.0.1", port 80 (icmp, arp and ndp: none), protocol "tcp". Any field
--- of a result may be given, as in test.target{port = 79, service = "finger"}; others raise.
---@param fields? test.Fields
---@return prtip.Result
function test.target(fields) end

--- A result for a hook: besides the defaults of test.target(), state "open" (without a port: "up"), the
--- protocol's reason, ttl 64, rtt_us 412, ts. Assign nil to remove one: result.rtt_us = nil.
---@param fields? test.Fields
---@return prtip.Result
function test.result(fields) end

--- Call a hook of main.lua by its name.
---@param hook string
---@param ... any
---@return any ...
function test.call(hook, ...) end

--- What add_result() collected since the case began.
---@return table<string, any>
function test.results() end

--- What log() and print() said since the case began.
---@return {level: prtip.LogLevel, message: string}[]
function test.logs() end

--- One thing that a scripted server does.
---@class test.Step
---@field expect? string wait until this was sent
---@field reply? string
---@field timeout? boolean stay silent for once
---@field close? boolean
---@field refuse? boolean|string as the first step: what connect() gives

---@class test.Script
---@field [integer] test.Step
---@field protocol? "tcp"|"udp"
---@field tls? true|table what tls_info() gives
---@field starttls? boolean
---@field hello? table|fun(options: prtip.TlsProbeOptions): table?, string? what tls_probe() gives

--- Make a server. Each connection to it plays the script from the beginning.
---@param ip string
---@param port integer
---@param script test.Script
function test.server(ip, port, script) end

--- What scan_port() finds there.
---@param ip string
---@param states table<integer, prtip.ProbeState>
---@param protocol? "tcp"|"udp"
function test.ports(ip, states, protocol) end

--- Put files in place; the table of all of them.
---@param given? table<string, string>
---@return table<string, string>
function test.files(given) end
