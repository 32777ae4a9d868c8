-- SPDX-License-Identifier: BSD-3-Clause
-- The words before TLS in protocols that begin in the clear: SMTP (RFC 3207), IMAP (RFC 9051), POP3
-- (RFC 2595) and FTP (RFC 4217).
local starttls = {}

local LONGEST = 8192 -- bytes of the server's words altogether

-- ---- Lines ----

-- A conversation: the socket, and what came in that is not read yet.
local function new_talk(sock, options)
	return { sock = sock, timeout = options.timeout, ehlo = options.ehlo, pending = "", total = 0 }
end

local function read_line(talk)
	while true do
		local line, rest = talk.pending:match("^([^\n]*)\n(.*)$")
		if line then
			talk.pending = rest
			return (line:gsub("\r$", ""))
		end
		if talk.total > LONGEST then
			return nil, "too many words before TLS"
		end
		local data, why = prtip.receive(talk.sock, 2048, talk.timeout)
		if not data then
			return nil, why
		end
		if data == "" then
			return nil, "closed before TLS"
		end
		talk.total = talk.total + #data
		talk.pending = talk.pending .. data
	end
end

local function say(talk, line)
	return prtip.send(talk.sock, line .. "\r\n", talk.timeout)
end

-- ---- Replies ----

-- SMTP and FTP: "250-more", then "250 last". Returns the code and the text.
local function numbered_reply(talk)
	local text = ""
	while true do
		local line, why = read_line(talk)
		if not line then
			return nil, why
		end
		text = text .. line .. "\n"
		local code = line:match("^(%d%d%d) ") or line:match("^(%d%d%d)$")
		if code then
			return code, text
		end
	end
end

local function expect_code(talk, wanted, what)
	local code, text = numbered_reply(talk)
	if not code then
		return nil, text
	end
	if code ~= wanted then
		return nil, what .. ": " .. code
	end
	return text
end

-- IMAP: lines that begin with "* " are said aside.
local function tagged_reply(talk, tag)
	while true do
		local line, why = read_line(talk)
		if not line then
			return nil, why
		end
		local status = line:match("^" .. tag .. " (%a+)")
		if status then
			return status:upper() == "OK" or nil, "STARTTLS: " .. status
		end
	end
end

-- ---- Protocols ----

local function smtp(talk)
	local ok, why = expect_code(talk, "220", "greeting")
	if not ok then
		return nil, why
	end
	say(talk, "EHLO " .. talk.ehlo)
	local text
	text, why = expect_code(talk, "250", "EHLO")
	if not text then
		return nil, why
	end
	if not text:upper():find("250[ -]STARTTLS") then
		return nil, "no STARTTLS offered"
	end
	say(talk, "STARTTLS")
	return expect_code(talk, "220", "STARTTLS")
end

local function ftp(talk)
	local ok, why = expect_code(talk, "220", "greeting")
	if not ok then
		return nil, why
	end
	say(talk, "AUTH TLS")
	return expect_code(talk, "234", "AUTH TLS")
end

local function imap(talk)
	local line, why = read_line(talk)
	if not line then
		return nil, why
	end
	if not line:find("^%* OK") then
		return nil, "greeting is not IMAP's"
	end
	say(talk, "a1 STARTTLS")
	return tagged_reply(talk, "a1")
end

local function pop3(talk)
	local line, why = read_line(talk)
	if not line then
		return nil, why
	end
	if not line:find("^%+OK") then
		return nil, "greeting is not POP3's"
	end
	say(talk, "STLS")
	line, why = read_line(talk)
	if not line then
		return nil, why
	end
	return line:find("^%+OK") and true or nil, "STLS: " .. line:sub(1, 60):gsub("[^ -~]", "?")
end

local PROTOCOLS = { smtp = smtp, ftp = ftp, imap = imap, pop3 = pop3 }
local GOODBYE = { smtp = "QUIT", ftp = "QUIT", imap = "a2 LOGOUT", pop3 = "QUIT" }
local PORTS = {
	[21] = "ftp", [25] = "smtp", [110] = "pop3", [143] = "imap", [587] = "smtp", [2525] = "smtp",
}

-- ---- Which one it is ----

function starttls.of_service(name)
	return PROTOCOLS[name or ""] and name or nil
end

function starttls.of_port(port)
	return PORTS[port]
end

-- "220" is said by SMTP and FTP: the words and the port tell which.
function starttls.of_banner(banner, port)
	if banner:find("^%* OK") then
		return "imap"
	end
	if banner:find("^%+OK") then
		return "pop3"
	end
	if not banner:find("^220[ -]") then
		return nil
	end
	if PORTS[port] == "ftp" or PORTS[port] == "smtp" then
		return PORTS[port]
	end
	local words = banner:lower()
	return words:find("smtp", 1, true) and "smtp" or words:find("ftp", 1, true) and "ftp" or nil
end

-- Go to the point on `sock` at which TLS may begin: true, or nil and why not.
function starttls.begin(protocol, sock, options)
	local conversation = new_talk(sock, options)
	local ok, why = PROTOCOLS[protocol](conversation)
	if not ok then
		say(conversation, GOODBYE[protocol])
		return nil, why
	end
	-- What was sent before TLS is not to be taken for a part of it (CVE-2011-0411 and others).
	if conversation.pending ~= "" then
		return nil, "more words behind the answer to STARTTLS"
	end
	return true
end

return starttls
