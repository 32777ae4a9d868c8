-- SPDX-License-Identifier: BSD-3-Clause
-- Connections to one target, a bounded number of them, with a pause in between: hellos that only ask
-- what the server would pick, and handshakes.
local starttls = require("starttls")

local Session = {}
Session.__index = Session

-- config: the plugin's settings; protocol: of starttls.lua, or nil where TLS begins at once.
local function new(target, config, protocol)
	return setmetatable({
		ip = target.ip, port = target.port, config = config, protocol = protocol,
		connections = 0, ends = prtip.now() + config.max_seconds,
	}, Session)
end

-- Take one of the connections; false where there is none left.
function Session:spend()
	if self.connections >= self.config.max_probes or prtip.now() >= self.ends then
		self.exhausted = true
		return false
	end
	if self.connections > 0 and self.config.delay > 0 then
		prtip.sleep(self.config.delay)
	end
	self.connections = self.connections + 1
	return true
end

-- A connection on which TLS can begin.
function Session:open()
	local sock, why = prtip.connect(self.ip, self.port, { timeout = self.config.timeout })
	if not sock or not self.protocol then
		return sock, why
	end
	local ok
	ok, why = starttls.begin(self.protocol, sock, self.config)
	if not ok then
		prtip.close(sock)
		return nil, why
	end
	return sock
end

-- What the server picks of these versions and suites (a table of prtip.tls_probe), or nil and why not.
function Session:hello(versions, ciphers)
	if not self:spend() then
		return nil, "no connections left"
	end
	local options = {
		versions = versions, ciphers = ciphers, timeout = self.config.timeout,
		server_name = self.config.server_name,
	}
	if self.protocol then
		local sock, why = self:open()
		if not sock then
			return nil, why
		end
		options.sock = sock
	end
	return prtip.tls_probe(self.ip, self.port, options)
end

-- Shake hands, and return what prtip.tls_info tells; tls: further options of prtip.connect.
function Session:handshake(tls)
	if not self:spend() then
		return nil, "no connections left"
	end
	tls.server_name = self.config.server_name
	tls.timeout = self.config.timeout
	local sock, why = self:open()
	if not sock then
		return nil, why
	end
	local ok, info
	ok, why = prtip.start_tls(sock, tls)
	if ok then
		info, why = prtip.tls_info(sock)
	end
	prtip.close(sock)
	return info, why
end

return { new = new }
