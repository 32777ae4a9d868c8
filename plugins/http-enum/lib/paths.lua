-- SPDX-License-Identifier: BSD-3-Clause
-- Paths that are worth asking for where the operator names none: what a site says to programs, where
-- one logs in, what tells of its state, and what should not have been published. Each is harmless to
-- ask for with GET.
return {
	-- for programs
	"/robots.txt", "/sitemap.xml", "/.well-known/security.txt", "/.well-known/openid-configuration",
	"/humans.txt", "/crossdomain.xml",
	-- administration and login
	"/admin", "/admin/", "/administrator/", "/login", "/signin", "/user/login", "/account",
	"/dashboard", "/console", "/manager/html", "/portal", "/webmail/", "/phpmyadmin/",
	"/adminer.php", "/wp-login.php", "/wp-admin/",
	-- state
	"/server-status", "/server-info", "/nginx_status", "/status", "/health", "/healthz", "/metrics",
	"/actuator", "/debug/vars", "/debug/pprof/", "/phpinfo.php", "/info.php", "/version",
	-- of version control
	"/.git/HEAD", "/.git/config", "/.svn/entries", "/.hg/requires", "/.gitignore", "/.DS_Store",
	-- configuration
	"/.env", "/.htpasswd", "/web.config", "/config.json", "/composer.json", "/package.json",
	"/docker-compose.yml",
	-- copies that were left behind
	"/backup/", "/backup.zip", "/backup.tar.gz", "/backup.sql", "/dump.sql", "/index.php.bak", "/old/",
	"/test/", "/uploads/", "/logs/",
	-- descriptions of interfaces
	"/api", "/api/v1", "/swagger.json", "/openapi.json", "/api-docs", "/graphql",
	"/cgi-bin/",
}
