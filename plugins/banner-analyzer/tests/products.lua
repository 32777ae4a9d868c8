-- SPDX-License-Identifier: BSD-3-Clause
-- Banners and the service that each gives: name, product, version, info, CPE, confidence. Behind the last
-- semicolon of info stands the operating system.

local function case(name, banner, service, product, version, info, cpe, confidence)
	test.case(name, function()
		local text, os = (info or ""):match("^([^;]*);? ?(.*)$")
		test.equal(test.call("analyze_banner", banner), service and {
			service = service, product = product, version = version, info = text ~= "" and text or nil,
			os = os ~= "" and os or nil, cpe = cpe,
			confidence = confidence or version and 0.9 or product and 0.8 or 0.5,
		})
	end)
end

local function page(...)
	return "HTTP/1.1 200 OK\r\n" .. table.concat({ ... }, "\r\n") .. "\r\n\r\n"
end

-- SSH
case("OpenSSH of Debian", "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n", "ssh", "OpenSSH", "9.2p1",
	"protocol 2.0; Debian Linux 12", "cpe:/a:openbsd:openssh:9.2:p1")
case("OpenSSH of Debian, release by version", "SSH-2.0-OpenSSH_7.9p1 Debian-10\r\n", "ssh", "OpenSSH", "7.9p1",
	"protocol 2.0; Debian Linux 10", "cpe:/a:openbsd:openssh:7.9:p1")
case("OpenSSH of Ubuntu", "SSH-2.0-OpenSSH_8.9p1 Ubuntu-3ubuntu0.10\r\n", "ssh", "OpenSSH", "8.9p1",
	"protocol 2.0; Ubuntu Linux 22.04", "cpe:/a:openbsd:openssh:8.9:p1")
case("OpenSSH of nobody, portable or not", "SSH-2.0-OpenSSH_9.8\r\n", "ssh", "OpenSSH", "9.8", "protocol 2.0",
	"cpe:/a:openbsd:openssh:9.8")
case("OpenSSH on Windows", "SSH-2.0-OpenSSH_for_Windows_8.1\r\n", "ssh", "OpenSSH for Windows", "8.1",
	"protocol 2.0; Windows", "cpe:/a:openbsd:openssh:8.1")
case("OpenSSH on FreeBSD", "SSH-2.0-OpenSSH_7.8 FreeBSD-20180909\r\n", "ssh", "OpenSSH", "7.8",
	"protocol 2.0; FreeBSD", "cpe:/a:openbsd:openssh:7.8")
case("Dropbear", "SSH-2.0-dropbear_2022.83\r\n", "ssh", "Dropbear sshd", "2022.83", "protocol 2.0",
	"cpe:/a:dropbear_ssh_project:dropbear_ssh:2022.83")
case("Dropbear that hides its version", "SSH-2.0-dropbear\r\n", "ssh", "Dropbear sshd", nil, "protocol 2.0",
	"cpe:/a:dropbear_ssh_project:dropbear_ssh")
case("Cisco", "SSH-1.99-Cisco-1.25\n", "ssh", "Cisco SSH", "1.25", "protocol 1.99; Cisco IOS", "cpe:/o:cisco:ios")
case("libssh", "SSH-2.0-libssh_0.9.6\r\n", "ssh", "libssh", "0.9.6", "protocol 2.0", "cpe:/a:libssh:libssh:0.9.6")
case("SSH of an unknown make", "SSH-2.0-Foo\r\n", "ssh", nil, nil, "protocol 2.0")

-- SMTP and FTP
case("Postfix", "220 mail.example.com ESMTP Postfix (Debian/GNU)\r\n", "smtp", "Postfix", nil, "; Debian Linux",
	"cpe:/a:postfix:postfix")
case("Exim", "220 mail.example.com ESMTP Exim 4.96 Tue, 28 Jan 2025 09:00:00 +0100\r\n", "smtp", "Exim", "4.96", nil,
	"cpe:/a:exim:exim:4.96")
case("Sendmail", "220 mx.example.org ESMTP Sendmail 8.17.1/8.17.1; Tue, 28 Jan 2025 09:00:00 GMT\r\n", "smtp",
	"Sendmail", "8.17.1", nil, "cpe:/a:sendmail:sendmail:8.17.1")
case("Exchange", "220 EX01.corp.example Microsoft ESMTP MAIL Service ready at Tue, 28 Jan 2025 09:00:00 +0000\r\n",
	"smtp", "Microsoft Exchange smtpd", nil, "; Windows", "cpe:/a:microsoft:exchange_server")
case("SMTP without a product", "220 mx1 ESMTP\r\n", "smtp")
case("vsftpd", "220 (vsFTPd 3.0.3)\r\n", "ftp", "vsftpd", "3.0.3", nil, "cpe:/a:vsftpd_project:vsftpd:3.0.3")
case("ProFTPD", "220 ProFTPD 1.3.5rc4 Server (Debian) [::ffff:10.0.0.5]\r\n", "ftp", "ProFTPD", "1.3.5rc4",
	"; Debian Linux", "cpe:/a:proftpd:proftpd:1.3.5rc4")
case("ProFTPD without a version", "220 ProFTPD Server (x) [192.0.2.9]\r\n", "ftp", "ProFTPD", nil, nil,
	"cpe:/a:proftpd:proftpd")
case("Pure-FTPd over many lines", "220---------- Welcome to Pure-FTPd [privsep] [TLS] ----------\r\n220-You are user "
	.. "number 1 of 50 allowed.\r\n220 You will be disconnected after 15 minutes of inactivity.\r\n", "ftp",
	"Pure-FTPd", nil, nil, "cpe:/a:pureftpd:pure-ftpd")
case("FileZilla, old", "220-FileZilla Server version 0.9.60 beta\r\n220 x\r\n", "ftp", "FileZilla Server", "0.9.60", nil,
	"cpe:/a:filezilla-project:filezilla_server:0.9.60")
case("FileZilla, new", "220-FileZilla Server 1.8.1\r\n220 x\r\n", "ftp", "FileZilla Server", "1.8.1", nil,
	"cpe:/a:filezilla-project:filezilla_server:1.8.1")
case("Serv-U", "220 Serv-U FTP Server v15.1 ready...\r\n", "ftp", "Serv-U", "15.1", nil, "cpe:/a:solarwinds:serv-u:15.1")
case("Microsoft FTP", "220 Microsoft FTP Service\r\n", "ftp", "Microsoft FTP Service", nil, "; Windows",
	"cpe:/a:microsoft:internet_information_services")
case("220 of nobody knows what", "220 hello\r\n")

-- IMAP, POP3, NNTP
case("Dovecot imapd", "* OK [CAPABILITY IMAP4rev1 SASL-IR] Dovecot (Debian) ready.\r\n", "imap", "Dovecot imapd", nil,
	"; Debian Linux", "cpe:/a:dovecot:dovecot")
case("Cyrus imapd", "* OK [CAPABILITY IMAP4] mail.example.com Cyrus IMAP v2.4.17 server ready\r\n", "imap",
	"Cyrus imapd", "2.4.17", nil, "cpe:/a:cyrus:imap:2.4.17")
case("Dovecot pop3d", "+OK Dovecot ready.\r\n", "pop3", "Dovecot pop3d", nil, nil, "cpe:/a:dovecot:dovecot")
case("INN", "200 news.example.org InterNetNews NNRP server INN 2.7.1 ready (posting ok)\r\n", "nntp", "INN", "2.7.1",
	nil, "cpe:/a:isc:inn:2.7.1")

-- Databases and queues
case("MySQL", "J\0\0\0\n8.0.36-0ubuntu0.22.04.1\0\8\0\0\0", "mysql", "MySQL", "8.0.36", "; Ubuntu Linux 22.04",
	"cpe:/a:oracle:mysql:8.0.36")
case("MariaDB", "Y\0\0\0\n5.5.5-10.11.6-MariaDB-0+deb12u1\0\8\0\0\0", "mysql", "MariaDB", "10.11.6",
	"; Debian Linux 12", "cpe:/a:mariadb:mariadb:10.11.6")
case("Redis by INFO", "$5200\r\n# Server\r\nredis_version:7.0.15\r\nredis_git_sha1:0\r\n", "redis", "Redis", "7.0.15", nil,
	"cpe:/a:redis:redis:7.0.15")
case("Redis that asks for a password", "-NOAUTH Authentication required.\r\n", "redis")
case("memcached", "VERSION 1.6.18\r\n", "memcache", "memcached", "1.6.18", nil, "cpe:/a:memcached:memcached:1.6.18")
case("NATS", 'INFO {"server_id":"NA","server_name":"nats-1","version":"2.9.10","go":"go1.19.4"} \r\n', "nats",
	"NATS Server", "2.9.10", nil, "cpe:/a:nats:nats_server:2.9.10")
case("MPD", "OK MPD 0.23.5\n", "mpd", "Music Player Daemon", "0.23.5", "protocol version", "cpe:/a:musicpd:mpd:0.23.5")

-- Others
case("rsync", "@RSYNCD: 31.0\n", "rsync")
case("VNC", "RFB 003.008\n", "vnc")
case("telnet", "\255\253\1\255\251\3MikroTik v6.48.6 (long-term)\r\nLogin: ", "telnet", "MikroTik RouterOS telnetd",
	"6.48.6", "; MikroTik RouterOS 6.48.6", "cpe:/o:mikrotik:routeros:6.48.6")
case("Asterisk manager", "Asterisk Call Manager/5.0.1\r\n", "asterisk", "Asterisk", nil, "manager interface 5.0.1",
	"cpe:/a:digium:asterisk")
case("SIP", "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1\r\nServer: Asterisk PBX 18.10.0~dfsg\r\n\r\n", "sip",
	"Asterisk PBX", "18.10.0~dfsg", nil, "cpe:/a:digium:asterisk:18.10.0~dfsg")

-- HTTP
case("nginx", page("Server: nginx/1.22.1"), "http", "nginx", "1.22.1", nil, "cpe:/a:f5:nginx:1.22.1")
case("nginx of Ubuntu", page("Server: nginx/1.18.0 (Ubuntu)"), "http", "nginx", "1.18.0", "; Ubuntu Linux",
	"cpe:/a:f5:nginx:1.18.0")
case("Apache that hides its version", page("Server: Apache"), "http", "Apache httpd", nil, nil, "cpe:/a:apache:http_server")
case("IIS", page("Server: Microsoft-IIS/8.5"), "http", "Microsoft IIS", "8.5", "; Windows Server 2012 R2",
	"cpe:/a:microsoft:internet_information_services:8.5")
case("IIS of several releases", page("Server: Microsoft-IIS/10.0"), "http", "Microsoft IIS", "10.0", "; Windows",
	"cpe:/a:microsoft:internet_information_services:10.0")
case("Jetty, version in the comment", page("Server: Jetty(9.4.48.v20220622)"), "http", "Eclipse Jetty",
	"9.4.48.v20220622", nil, "cpe:/a:eclipse:jetty:9.4.48.v20220622")
case("Tomcat, whose connector has a version of its own", page("Server: Apache-Coyote/1.1"), "http", "Apache Tomcat", nil,
	"Coyote connector 1.1", "cpe:/a:apache:tomcat")
case("http.server of Python", page("Server: SimpleHTTP/0.6 Python/3.11.2"), "http", "Python http.server", "0.6")
case("a server that no row knows", page("Server: Frobnitz/4.5-beta2 (x)"), "http", "Frobnitz", "4.5-beta2", nil, nil, 0.6)
case("no Server header", page("Content-Type: text/html"), "http")
case("only what the server was made with", page("X-Powered-By: PHP/8.2.7"), "http")
case("a Server header that the end of the banner cut", "HTTP/1.1 200 OK\r\nServer: ngin", "http")

-- Neither crash nor name anything
for name, banner in pairs({
	["nothing"] = "", ["a NUL"] = "\0", ["all bytes"] = string.char(255, 254, 0, 128, 10, 13) .. ("\200"):rep(300),
	["a status line only"] = "HTTP/1.1", ["MySQL that is cut"] = "J\0\0\0\n8.0",
	["an error of PostgreSQL"] = "E\0\0\0\140SFATAL\0", ["a long line"] = ("a. "):rep(1365),
}) do
	test.case("harmless: " .. name, function()
		local service = test.call("analyze_banner", banner)
		test.ok(not (service and service.product), "no product is in it")
	end)
end

test.case("CPE escapes what its components may not have", function()
	local cpe = require("cpe")
	test.equal(cpe.fill("a:x:y", { "1.0+B/2" }), "cpe:/a:x:y:1.0%2bb%2f2")
	test.equal(cpe.fill("a:x:y:$1:$2", { "1.0", "" }), "cpe:/a:x:y:1.0")
	test.equal(cpe.fill("a:x:y:", { "1.0" }), "cpe:/a:x:y")
	test.equal(cpe.fill("", {}), nil)
end)

test.case("the tables have no row that cannot be reached", function()
	for _, row in ipairs(require("products")) do
		test.ok(row.at == "server" or row.match, row.product .. ": no pattern")
		test.ok(row.word == row.word:lower(), row.product .. ": a word in lower case")
		test.ok(row.at == "server" or not row.word:find("%A"), row.product .. ": letters only")
		test.ok(row.product and not row.product:find("$", 1, true), "a product's name")
	end
	test.ok(#require("products") >= 40, "at least 40")
end)

test.case("settings have to be true or false", function()
	test.equal(test.call("on_load", { dates = "yes" }), "dates must be true or false")
	test.equal(test.call("on_load", {}), nil)
end)
