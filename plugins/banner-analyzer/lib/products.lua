-- SPDX-License-Identifier: BSD-3-Clause
-- Products, one row each.
--
--   at       the field of the banner in which the row is tried (lib/fields.lua makes them)
--   word     a word that the field must have, in lower case: rows are found by it, so that their
--            number costs nothing. A word is a run of letters: "OpenSSH_9.2p1" has "openssh" and "p".
--            "" is tried where no other row of the field matched
--   match    a Lua pattern; its captures are $1, $2 ... below. In the field "server" rows have none:
--            there `word` is the name of a token NAME/VERSION, and $1 its version
--   service  where the field alone does not tell: smtp or ftp of a reply 220
--   version  default "$1"
--   cpe      without "cpe:/"; ":$1" is added, unless it ends in ":" or has a $ of its own
--   info     free text
--   part     true: software beside a server (a module, a language), not the server itself
--
-- CPE names as in the official dictionary, in the URI form of CPE 2.2 (NIST IR 7695).

return {
	-- ---- SSH: the software version of RFC 4253, section 4.2 ----
	{ at = "ssh", word = "openssh", match = "^OpenSSH_for_Windows_([%d.]+)(p?%d*)", product = "OpenSSH for Windows", version = "$1$2", cpe = "a:openbsd:openssh:$1:$2" },
	{ at = "ssh", word = "openssh", match = "^OpenSSH_([%d.]+)(p?%d*)", product = "OpenSSH", version = "$1$2", cpe = "a:openbsd:openssh:$1:$2" },
	{ at = "ssh", word = "dropbear", match = "^dropbear_?([%d.]*)", product = "Dropbear sshd", cpe = "a:dropbear_ssh_project:dropbear_ssh" },
	{ at = "ssh", word = "libssh", match = "^libssh[_-]([%d.]+)", product = "libssh", cpe = "a:libssh:libssh" },
	{ at = "ssh", word = "cisco", match = "^Cisco%-([%d.]+)", product = "Cisco SSH", cpe = "o:cisco:ios:" },
	{ at = "ssh", word = "rosssh", match = "^ROSSSH", product = "MikroTik RouterOS sshd", cpe = "o:mikrotik:routeros" },
	{ at = "ssh", word = "go", match = "^Go$", product = "Go x/crypto/ssh", cpe = "a:golang:crypto" },
	{ at = "ssh", word = "paramiko", match = "^paramiko_([%d.]+)", product = "Paramiko", cpe = "a:paramiko:paramiko" },
	{ at = "ssh", word = "asyncssh", match = "^AsyncSSH_([%d.]+)", product = "AsyncSSH", cpe = "a:asyncssh_project:asyncssh" },
	{ at = "ssh", word = "bitvise", match = "Bitvise SSH Server %(WinSSHD%) ([%d.]+)", product = "Bitvise SSH Server", cpe = "a:bitvise:winsshd" },
	{ at = "ssh", word = "twisted", match = "^Twisted_([%d.]+)", product = "Twisted Conch", cpe = "a:twisted:twisted" },
	{ at = "ssh", word = "sshd", match = "^APACHE%-SSHD%-([%d.]+)", product = "Apache MINA SSHD", cpe = "a:apache:sshd" },

	-- ---- Greetings of SMTP and FTP: replies 220 ----
	{ at = "220", word = "postfix", match = "Postfix %((%d[%d.]+)%)", service = "smtp", product = "Postfix", cpe = "a:postfix:postfix" },
	{ at = "220", word = "postfix", match = "Postfix", service = "smtp", product = "Postfix", cpe = "a:postfix:postfix" },
	{ at = "220", word = "exim", match = "Exim ([%d._]+)", service = "smtp", product = "Exim", cpe = "a:exim:exim" },
	{ at = "220", word = "sendmail", match = "Sendmail ([%d.]+)", service = "smtp", product = "Sendmail", cpe = "a:sendmail:sendmail" },
	{ at = "220", word = "opensmtpd", match = "OpenSMTPD", service = "smtp", product = "OpenSMTPD", cpe = "a:openbsd:opensmtpd" },
	{ at = "220", word = "microsoft", match = "Microsoft ESMTP MAIL Service, Version: ([%d.]+)", service = "smtp", product = "Microsoft SMTP Service", cpe = "a:microsoft:exchange_server:" },
	{ at = "220", word = "microsoft", match = "Microsoft ESMTP MAIL Service", service = "smtp", product = "Microsoft Exchange smtpd", cpe = "a:microsoft:exchange_server" },
	{ at = "220", word = "haraka", match = "Haraka/([%d.]+)", service = "smtp", product = "Haraka", cpe = "a:haraka_project:haraka" },
	{ at = "220", word = "mailenable", match = "MailEnable Service, Version: ([%d.]+)", service = "smtp", product = "MailEnable", cpe = "a:mailenable:mailenable" },
	{ at = "220", word = "vsftpd", match = "vsFTPd ([%d.]+)", service = "ftp", product = "vsftpd", cpe = "a:vsftpd_project:vsftpd" },
	{ at = "220", word = "proftpd", match = "ProFTPD (%d[%w.]+)", service = "ftp", product = "ProFTPD", cpe = "a:proftpd:proftpd" },
	{ at = "220", word = "proftpd", match = "ProFTPD", service = "ftp", product = "ProFTPD", cpe = "a:proftpd:proftpd" },
	{ at = "220", word = "pure", match = "Pure%-FTPd", service = "ftp", product = "Pure-FTPd", cpe = "a:pureftpd:pure-ftpd" },
	{ at = "220", word = "filezilla", match = "FileZilla Server version (%d[%w.]+)", service = "ftp", product = "FileZilla Server", cpe = "a:filezilla-project:filezilla_server" },
	{ at = "220", word = "filezilla", match = "FileZilla Server v?(%d[%w.]+)", service = "ftp", product = "FileZilla Server", cpe = "a:filezilla-project:filezilla_server" },
	{ at = "220", word = "serv", match = "Serv%-U FTP[%w -]* v(%d[%d.]+)", service = "ftp", product = "Serv-U", cpe = "a:solarwinds:serv-u" },
	{ at = "220", word = "microsoft", match = "Microsoft FTP Service", service = "ftp", product = "Microsoft FTP Service", cpe = "a:microsoft:internet_information_services" },
	{ at = "220", word = "wu", match = "[Vv]ersion wu%-([%w.-]+)", service = "ftp", product = "WU-FTPD", cpe = "a:washington_university:wu-ftpd" },
	{ at = "220", word = "pyftpdlib", match = "pyftpdlib ([%d.]+)", service = "ftp", product = "pyftpdlib", cpe = "a:g.rodola:pyftpdlib" },
	{ at = "220", word = "bftpd", match = "bftpd ([%d.]+)", service = "ftp", product = "bftpd", cpe = "a:bftpd_project:bftpd" },

	-- ---- IMAP and POP3 ----
	{ at = "imap", word = "dovecot", match = "Dovecot", product = "Dovecot imapd", cpe = "a:dovecot:dovecot" },
	{ at = "imap", word = "cyrus", match = "Cyrus IMAP v?([%w.]+)", product = "Cyrus imapd", cpe = "a:cyrus:imap" },
	{ at = "imap", word = "courier", match = "Courier%-IMAP", product = "Courier imapd", cpe = "a:courier-mta:courier-imap" },
	{ at = "imap", word = "exchange", match = "Microsoft Exchange", product = "Microsoft Exchange imapd", cpe = "a:microsoft:exchange_server" },
	{ at = "imap", word = "rev", match = "IMAP4rev1 (20%d%d[%w.]+) at", product = "UW imapd", cpe = "a:university_of_washington:uw-imap" },
	{ at = "pop3", word = "dovecot", match = "Dovecot", product = "Dovecot pop3d", cpe = "a:dovecot:dovecot" },
	{ at = "pop3", word = "cyrus", match = "Cyrus POP3 v?([%w.]+)", product = "Cyrus pop3d", cpe = "a:cyrus:imap" },
	{ at = "pop3", word = "exchange", match = "Microsoft Exchange", product = "Microsoft Exchange pop3d", cpe = "a:microsoft:exchange_server" },
	{ at = "pop3", word = "teapop", match = "Teapop %[v?([%d.]+)", product = "Teapop" },

	-- ---- Others that say their name in a line ----
	{ at = "nntp", word = "innd", match = "INN ([%d.]+)", product = "INN", cpe = "a:isc:inn" },
	{ at = "nntp", word = "internetnews", match = "INN ([%d.]+)", product = "INN", cpe = "a:isc:inn" },
	{ at = "mysql", word = "mariadb", match = "([%d.]+)%-MariaDB", product = "MariaDB", cpe = "a:mariadb:mariadb" },
	{ at = "mysql", word = "", match = "^(%d[%d.]+)", product = "MySQL", cpe = "a:oracle:mysql" },
	{ at = "line", word = "nats", match = '"version":"([%w.-]+)"', product = "NATS Server", cpe = "a:nats:nats_server" },
	{ at = "line", word = "mpd", match = "^OK MPD ([%d.]+)", product = "Music Player Daemon", cpe = "a:musicpd:mpd", info = "protocol version" },
	{ at = "line", word = "asterisk", match = "^Asterisk Call Manager/([%d.]+)", product = "Asterisk", version = "", cpe = "a:digium:asterisk:", info = "manager interface $1" },
	{ at = "line", word = "redis", match = "redis_version:([%d.]+)", product = "Redis", cpe = "a:redis:redis" },
	{ at = "line", word = "version", match = "^VERSION ([%d.]+)", product = "memcached", cpe = "a:memcached:memcached" },
	{ at = "line", word = "cvs", match = "^cvs %[pserver", product = "CVS pserver", cpe = "a:cvs:cvs" },
	{ at = "irc", word = "unrealircd", match = "Unreal(%d[%w.]+)", product = "UnrealIRCd", cpe = "a:unrealircd:unrealircd" },
	{ at = "irc", word = "inspircd", match = "InspIRCd%-(%d[%w.]*)", product = "InspIRCd", cpe = "a:inspircd:inspircd" },
	{ at = "telnet", word = "busybox", match = "BusyBox v([%d.]+)", product = "BusyBox telnetd", cpe = "a:busybox:busybox" },
	{ at = "telnet", word = "mikrotik", match = "MikroTik v([%w.]+)", product = "MikroTik RouterOS telnetd", cpe = "o:mikrotik:routeros" },
	{ at = "telnet", word = "microsoft", match = "Microsoft Telnet Service", product = "Microsoft Telnet Service", cpe = "o:microsoft:windows" },
	{ at = "agent", word = "asterisk", match = "Asterisk PBX ([%w.~-]+)", product = "Asterisk PBX", cpe = "a:digium:asterisk" },
	{ at = "agent", word = "freeswitch", match = "FreeSWITCH[%w-]*/([%d.]+)", product = "FreeSWITCH", cpe = "a:freeswitch:freeswitch" },
	{ at = "agent", word = "kamailio", match = "[Kk]amailio %(([%w.]+)", product = "Kamailio", cpe = "a:kamailio:kamailio" },
	{ at = "agent", word = "opensips", match = "OpenSIPS %(([%w.]+)", product = "OpenSIPS", cpe = "a:opensips:opensips" },
	{ at = "agent", word = "gstreamer", match = "GStreamer RTSP server", product = "GStreamer RTSP server", cpe = "a:gstreamer_project:gstreamer" },

	-- ---- HTTP: tokens of Server and X-Powered-By (RFC 9110, section 10.2.4) ----
	{ at = "server", word = "apache", product = "Apache httpd", cpe = "a:apache:http_server" },
	{ at = "server", word = "apache-coyote", product = "Apache Tomcat", version = "", cpe = "a:apache:tomcat:", info = "Coyote connector $1" },
	{ at = "server", word = "nginx", product = "nginx", cpe = "a:f5:nginx" },
	{ at = "server", word = "openresty", product = "OpenResty", cpe = "a:openresty:openresty" },
	{ at = "server", word = "lighttpd", product = "lighttpd", cpe = "a:lighttpd:lighttpd" },
	{ at = "server", word = "microsoft-iis", product = "Microsoft IIS", cpe = "a:microsoft:internet_information_services" },
	{ at = "server", word = "microsoft-httpapi", product = "Microsoft HTTPAPI" },
	{ at = "server", word = "kestrel", product = "Microsoft Kestrel", cpe = "a:microsoft:asp.net_core" },
	{ at = "server", word = "caddy", product = "Caddy", cpe = "a:caddyserver:caddy" },
	{ at = "server", word = "jetty", product = "Eclipse Jetty", cpe = "a:eclipse:jetty" },
	{ at = "server", word = "litespeed", product = "LiteSpeed", cpe = "a:litespeedtech:litespeed_web_server" },
	{ at = "server", word = "gunicorn", product = "Gunicorn", cpe = "a:gunicorn:gunicorn" },
	{ at = "server", word = "werkzeug", product = "Werkzeug", cpe = "a:palletsprojects:werkzeug" },
	{ at = "server", word = "uvicorn", product = "Uvicorn", cpe = "a:encode:uvicorn" },
	{ at = "server", word = "waitress", product = "Waitress", cpe = "a:agendaless:waitress" },
	{ at = "server", word = "tornadoserver", product = "Tornado", cpe = "a:tornadoweb:tornado" },
	{ at = "server", word = "twistedweb", product = "Twisted Web", cpe = "a:twisted:twisted" },
	{ at = "server", word = "simplehttp", product = "Python http.server", cpe = "" },
	{ at = "server", word = "basehttp", product = "Python BaseHTTPServer", cpe = "" },
	{ at = "server", word = "webrick", product = "WEBrick", cpe = "a:ruby-lang:webrick" },
	{ at = "server", word = "cowboy", product = "Cowboy", cpe = "a:ninenines:cowboy" },
	{ at = "server", word = "couchdb", product = "Apache CouchDB", cpe = "a:apache:couchdb" },
	{ at = "server", word = "zope", product = "Zope", cpe = "a:zope:zope" },
	{ at = "server", word = "squid", product = "Squid", cpe = "a:squid-cache:squid" },
	{ at = "server", word = "varnish", product = "Varnish", cpe = "a:varnish-software:varnish_cache" },
	{ at = "server", word = "envoy", product = "Envoy", cpe = "a:envoyproxy:envoy" },
	{ at = "server", word = "hiawatha", product = "Hiawatha", cpe = "a:hiawatha-webserver:hiawatha" },
	{ at = "server", word = "cherokee", product = "Cherokee", cpe = "a:cherokee-project:cherokee_web_server" },
	{ at = "server", word = "thttpd", product = "thttpd", cpe = "a:acme:thttpd" },
	{ at = "server", word = "mini_httpd", product = "mini_httpd", cpe = "a:acme:mini_httpd" },
	{ at = "server", word = "boa", product = "Boa", cpe = "a:boa:boa" },
	{ at = "server", word = "goahead-webs", product = "GoAhead", cpe = "a:embedthis:goahead" },
	{ at = "server", word = "rompager", product = "RomPager", cpe = "a:allegrosoft:rompager" },
	{ at = "server", word = "minio", product = "MinIO", cpe = "a:minio:minio" },
	{ at = "server", word = "docker", product = "Docker Engine", cpe = "a:docker:docker" },
	{ at = "server", word = "cups", product = "CUPS", cpe = "a:openprinting:cups" },
	{ at = "server", word = "h2o", product = "H2O", cpe = "a:dena:h2o" },
	{ at = "server", word = "glassfish", product = "GlassFish", cpe = "a:eclipse:glassfish" },
	{ at = "server", word = "wildfly", product = "WildFly", cpe = "a:redhat:wildfly" },
	{ at = "server", word = "ipp", product = "IPP", part = true, cpe = "" },
	{ at = "server", word = "express", product = "Express", part = true, cpe = "a:openjsf:express" },
	{ at = "server", word = "asp.net", product = "ASP.NET", part = true, cpe = "a:microsoft:asp.net" },
	{ at = "server", word = "php", product = "PHP", part = true, cpe = "a:php:php" },
	{ at = "server", word = "python", product = "Python", part = true, cpe = "a:python:python" },
	{ at = "server", word = "cpython", product = "Python", part = true, cpe = "a:python:python" },
	{ at = "server", word = "perl", product = "Perl", part = true, cpe = "a:perl:perl" },
	{ at = "server", word = "ruby", product = "Ruby", part = true, cpe = "a:ruby-lang:ruby" },
	{ at = "server", word = "openssl", product = "OpenSSL", part = true, cpe = "a:openssl:openssl" },
	{ at = "server", word = "mod_ssl", product = "mod_ssl", part = true, cpe = "a:mod_ssl:mod_ssl" },
	{ at = "server", word = "mod_perl", product = "mod_perl", part = true, cpe = "a:apache:mod_perl" },
	{ at = "server", word = "mod_wsgi", product = "mod_wsgi", part = true, cpe = "a:modwsgi:mod_wsgi" },
	{ at = "server", word = "mod_jk", product = "mod_jk", part = true, cpe = "a:apache:tomcat_jk_connector" },
	{ at = "server", word = "mod_fcgid", product = "mod_fcgid", part = true, cpe = "a:apache:mod_fcgid" },
	{ at = "server", word = "phusion_passenger", product = "Phusion Passenger", part = true, cpe = "a:phusion:passenger" },
}
