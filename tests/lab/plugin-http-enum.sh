#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The plugin http-enum against nginx, Apache, lighttpd and Python's server, plain and over TLS. What it
# has to find is what each server's configuration here has; what it says of a finding is held against
# curl, and what it asked for against the servers' own logs.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=tests/lab/plugin-lab.sh
. "$TESTS_DIR/lab/plugin-lab.sh"
# shellcheck source=tests/lab/servers.sh
. "$TESTS_DIR/lab/servers.sh"

command -v curl openssl >/dev/null || tap_skip_all "no curl or no openssl"
lab_servers nginx-light apache2-bin lighttpd
lab_routed

nginx=198.18.20.1 apache=198.18.20.2 lighttpd=198.18.20.3 python=198.18.20.4
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem \
	-days 30 -subj '/CN=lab.example' 2>/dev/null
cat cert.pem key.pem >both.pem
echo 'lab:{PLAIN}secret' >users

# --- One site, which all servers have ---------------------------------------------------------------

page() { # TITLE WORDS
	printf '<!DOCTYPE html>\n<html><head><title>%s</title></head>\n<body>%s</body></html>\n' "$1" "$2"
}
mkdir -p site/admin site/.git site/old site/backup
page 'The lab &amp; more' 'Welcome to the lab.' >site/index.html
page 'Sign in' 'User name and password, please.' >site/admin/index.html
page 'Older things' 'Nothing that anybody needs.' >site/old/index.html
page 'Sorry' 'There is nothing of that name in this place.' >site/sorry.html
printf 'User-agent: *\nDisallow: /admin/\n' >site/robots.txt
echo 'ref: refs/heads/main' >site/.git/HEAD
head -c 100000 /dev/zero >site/backup.zip
page 'Gr&#252;n' 'A page with an extension.' >site/phpinfo.php
chmod -R a+rX "$LAB"
site="$LAB/site"
# /admin redirects to /admin/; /old/ is asked for with the slash.
# /backup/ is a folder without a page: Apache says 404 to that, nginx and lighttpd 403.
common="/.git/HEAD /admin /admin/ /backup.zip /old/ /phpinfo.php /robots.txt"
folder="$common /backup/"

# --- nginx ------------------------------------------------------------------------------------------

serve_setup nginx $nginx 0
nginx_log=$server_dir/log
nginx_server() { # PORT LINES
	printf '\tserver {\n\t\tlisten %s:%s;\n\t\troot %s;\n%s\n\t}\n' $nginx "$1" "$site" "$2"
}
tls="ssl_certificate $LAB/cert.pem; ssl_certificate_key $LAB/key.pem;"
# shellcheck disable=SC2016 # the variables of nginx
{
	cat <<-CONF
		daemon off;
		user root;
		worker_processes 1;
		pid $server_dir/pid;
		error_log stderr;
		events { }
		http {
			include /etc/nginx/mime.types;
			log_format lab '\$server_port \$connection \$request \$status \$http_user_agent';
			log_format times '\$server_port \$msec';
			access_log $nginx_log lab;
			client_body_temp_path $server_dir/body;
			proxy_temp_path $server_dir/proxy;
			fastcgi_temp_path $server_dir/fastcgi;
			uwsgi_temp_path $server_dir/uwsgi;
			scgi_temp_path $server_dir/scgi;
	CONF
	nginx_server 80 "location ~ \.php$ { types { } default_type text/html; }
		location = /manager/html { auth_basic lab; auth_basic_user_file $LAB/users; }
		location = /metrics { default_type text/plain; ssi on; ssi_types *; alias $site/sorry.html; }
		location = /status { return 302 /login; }
		location = /api { return 405; }
		location = /graphql { return 500; }
		location = /nginx_status { stub_status; }
		location = /health { default_type text/plain; return 204; }"
	# The same page for whatever is not there; a real file beside it.
	nginx_server 8001 'location / { try_files $uri /index.html; }'
	# A page with 200 that repeats what was asked for, of unknown length.
	nginx_server 8002 'error_page 404 =200 /echo; location = /echo { internal; ssi on; ssi_types *;
		default_type text/html; return 200 "<title>$request_uri</title>There is no $request_uri here, says
		request $request_id of the server. Look for it elsewhere, or ask the people who made this."; }'
	nginx_server 8003 'return 301 https://www.lab.example$request_uri;'
	nginx_server 8004 'keepalive_requests 7;'
	nginx_server 8005 'keepalive_timeout 0;'
	nginx_server 8006 'if ($request_method = HEAD) { return 405; }'
	nginx_server 8007 "auth_basic lab; auth_basic_user_file $LAB/users;"
	nginx_server 8008 'location ~ /\. { deny all; } location ~ \.php$ { return 403; } server_tokens off;'
	# A login form for everything but one page.
	nginx_server 8009 'location = /version { return 200 "7\n"; }
		location / { return 302 /login?next=$request_uri; } location = /login { return 200 "form"; }'
	# What was sent in TLS as the server's name comes back where there was one.
	nginx_server '443 ssl' "$tls add_header X-Powered-By \$ssl_server_name;"
	nginx_server 8081 'access_log /dev/null;'
	nginx_server 8081 "server_name named.lab.example; access_log $server_dir/times times;
		location = /only-here { return 200 here; }"
	nginx_server '8010 ssl' "$tls keepalive_requests 20;"
	echo '}'
} >"$server_dir/nginx.conf"
serve world nginx -e stderr -c "$server_dir/nginx.conf"
nginx_ports="80 443 8001 8002 8003 8004 8005 8006 8007 8008 8009 8010"

# --- Apache -----------------------------------------------------------------------------------------

module() { # NAME...
	local name
	for name in "$@"; do
		echo "LoadModule ${name}_module /usr/lib/apache2/modules/mod_$name.so"
	done
}
apache_host() { # PORT LINES
	printf 'Listen %s:%s\n<VirtualHost *:%s>\nDocumentRoot %s\n%s\n</VirtualHost>\n' \
		$apache "$1" "$1" "$site" "$2"
}
apache_tls="SSLEngine on
SSLCertificateFile $LAB/cert.pem
SSLCertificateKeyFile $LAB/key.pem"
apache_log=$LAB/apache.log
apache_config="$(module alias authn_core authn_file authz_user auth_basic authz_host env setenvif rewrite ssl \
	status include)
AddType text/html .php
AddType application/zip .zip
AddType text/plain .txt
KeepAliveTimeout 5
<Directory $site>
Require all granted
</Directory>
<FilesMatch \"^\\.ht\">
Require all denied
</FilesMatch>
LogFormat \"%{local}p %{remote}p %r %>s %{User-Agent}i\" lab
CustomLog $apache_log lab
$(apache_host 8001 'FallbackResource /index.html')
$(apache_host 8002 'ErrorDocument 404 http://www.lab.example/sorry.html')
$(apache_host 8003 'MaxKeepAliveRequests 5')
$(apache_host 8004 'BrowserMatch . nokeepalive downgrade-1.0 force-response-1.0')
$(apache_host 8005 'ErrorDocument 404 /sorry.html
RewriteEngine on
RewriteCond %{REQUEST_URI} !^/(sorry|index|robots)
RewriteRule . /sorry.html [L]')
$(apache_host 8006 '<Location /server-status>
SetHandler server-status
</Location>
Redirect permanent /login http://www.lab.example/login')
$(apache_host 8443 "$apache_tls")
$(apache_host 8010 "$apache_tls
MaxKeepAliveRequests 20")
DocumentRoot $site"
serve_apache world $apache 80 "$apache_config"
apache_ports="80 8001 8002 8003 8004 8005 8006 8010 8443"

# --- lighttpd ---------------------------------------------------------------------------------------

lighttpd_log=$LAB/lighttpd.log
install -o www-data /dev/null "$lighttpd_log"
lighttpd_modules=/usr/lib/lighttpd
lighttpd_ports="80 8001 8002"
lighttpd_config="server.document-root := \"$site\"
	server.modules += ( \"mod_accesslog\", \"mod_redirect\" )
	mimetype.assign := ( \".html\" => \"text/html\", \".php\" => \"text/html\", \".txt\" => \"text/plain\",
		\".zip\" => \"application/zip\" )
	accesslog.filename = \"$lighttpd_log\"
	accesslog.format = \"%p - %r %>s %{User-Agent}i\"
	server.max-keep-alive-requests = 9
	\$SERVER[\"socket\"] == \"$lighttpd:8001\" { server.error-handler-404 = \"/sorry.html\" }
	\$SERVER[\"socket\"] == \"$lighttpd:8002\" { url.redirect = ( \"^/login\" => \"/admin/\" ) }"
if [ -e $lighttpd_modules/mod_openssl.so ]; then
	lighttpd_ports="$lighttpd_ports 8010 8443"
	lighttpd_config="$lighttpd_config
	server.modules += ( \"mod_openssl\" )
	\$SERVER[\"socket\"] == \"$lighttpd:8443\" { ssl.engine = \"enable\" ssl.pemfile = \"$LAB/both.pem\" }
	\$SERVER[\"socket\"] == \"$lighttpd:8010\" { ssl.engine = \"enable\" ssl.pemfile = \"$LAB/both.pem\" }"
fi
serve_lighttpd world $lighttpd 80 "$lighttpd_config"

# --- Python: HTTP/1.0, closes behind each response ---------------------------------------------------

serve world python3 -u -m http.server --directory "$site" --bind $python 8000
listen world $python 8088 # open, and silent

chmod a+rx "$LAB"
wait_serving world tcp/$nginx:8010 tcp/$apache:8010 tcp/$lighttpd:8002 tcp/$python:8000

# --- The scan ---------------------------------------------------------------------------------------

sed -n 's|^\t"/|"/|p' "$TOP_DIR/plugins/http-enum/lib/paths.lua" | tr ',' '\n' | sed -n 's/.*"\(.*\)".*/\1/p' >list
all_ports=80,443,8000-8010,8088,8443
enum() { # NAME ARGUMENT...
	local name=$1
	shift
	scan "$name" --set dataplane.port=af_packet:veth0 --rate 500 --plugin-dir "$TOP_DIR/plugins" \
		--plugin http-enum --plugin-arg http-enum.user_agent=prtip-lab "$@"
}
enum all --plugin-arg http-enum.delay=0 --plugin-arg http-enum.timeout=3 -p $all_ports $nginx-$python
scan_status "exit status" all 0
tap_account "the account is exact" all http-enum
tap_is "no plugin failed" "$(said all.ndjson http-enum tls | awk '$3 != "ok"')" ""
tap_true "no socket is left" no_sockets

python3 "$LAB_TOOLS/webtruth.py" list all.ndjson >found
finds() { # WHAT IP PORT PATH...: these and no others
	local what=$1 ip=$2 at=$3
	shift 3
	echo "$@" | tr ' ' '\n' | grep . | LC_ALL=C sort >want
	awk -v ip="$ip" -v at="$at" '$1 == ip && $2 == at && $4 != "-" { print $4 }' found | LC_ALL=C sort >got
	tap_same "$what" got want
}
service_of() { # IP PORT
	services all.ndjson | awk -v ip="$1" -v port="$2" '$1 == ip && $2 == port { sub(/^[^ ]+ [^ ]+ /, ""); print }'
}

# shellcheck disable=SC2086 # lists of words
{
	finds "nginx: what is there" $nginx 80 $folder /manager/html /metrics /status /api /graphql \
		/nginx_status /health
	finds "nginx over TLS: the same files" $nginx 443 $folder
	finds "nginx over TLS on a port for plain HTTP" $nginx 8010 $folder
	finds "nginx: one page for all, and what is beside it" $nginx 8001 /.git/HEAD /backup.zip /phpinfo.php \
		/robots.txt
	finds "nginx: a page with 200 that repeats the path" $nginx 8002 $folder
	finds "nginx: everything redirected" $nginx 8003
	finds "nginx: seven requests a connection" $nginx 8004 $folder
	finds "nginx: one request a connection" $nginx 8005 $folder
	finds "nginx: HEAD is refused" $nginx 8006 $folder
	finds "nginx: everything behind a password" $nginx 8007
	finds "nginx: dot files and an extension forbidden as such" $nginx 8008 /backup/ /admin /admin/ /backup.zip \
		/old/ /robots.txt
	finds "nginx: a login form for everything but" $nginx 8009 /login /version
	finds "Apache: what is there" $apache 80 $common
	finds "Apache: one page for all" $apache 8001 $common
	finds "Apache: redirected where nothing is" $apache 8002 $common
	finds "Apache: five requests a connection" $apache 8003 $common
	finds "Apache as HTTP/1.0" $apache 8004 $common
	finds "Apache: all rewritten to one page" $apache 8005 /robots.txt
	finds "Apache: its status, and a redirect" $apache 8006 $common /server-status /login
	finds "Apache over TLS" $apache 8443 $common
	finds "Apache over TLS on a port for plain HTTP" $apache 8010 $common
	finds "lighttpd: what is there" $lighttpd 80 $folder
	finds "lighttpd: an error handler" $lighttpd 8001 $common
	finds "lighttpd: a redirect" $lighttpd 8002 $folder /login
	case $lighttpd_ports in
	*8443*)
		finds "lighttpd over TLS" $lighttpd 8443 $folder
		finds "lighttpd over TLS on a port for plain HTTP" $lighttpd 8010 $folder
		;;
	*) tap_skip "lighttpd over TLS" "no lighttpd-mod-openssl in $LAB_ROOT" ;;
	esac
	finds "Python, HTTP/1.0" $python 8000 $folder
	finds "silence" $python 8088
}

# --- Against curl and the logs ------------------------------------------------------------------------

# shellcheck disable=SC2317 # called through tap_true
says_nothing() {
	"$@" >said 2>&1 && [ ! -s said ]
}
check() { # NAME IP PORTS
	local at
	for at in $3; do
		case $at in
		443 | 8443 | 8010) echo "$at tls" ;;
		*) echo "$at plain" ;;
		esac
	done | sort >want
	awk -v ip="$2" '$1 == ip { print $2, $3 }' found | sort -u >got
	tap_same "$1: TLS or not" got want
	tap_true "$1: each finding, and /, is what curl says of it" \
		says_nothing on scanner python3 "$LAB_TOOLS/webtruth.py" curl all.ndjson "$2" || tap_note_file said
}
check_log() { # NAME IP LOG
	tap_true "$1: its log has each path once with each method, as many requests and connections" \
		says_nothing python3 "$LAB_TOOLS/webtruth.py" log all.ndjson "$2" "$3" list || tap_note_file said
}
# Before curl and later scans add to them.
check_log nginx $nginx "$nginx_log"
check_log Apache $apache "$apache_log"
check nginx $nginx "$nginx_ports"
check Apache $apache "$apache_ports"
check lighttpd $lighttpd "$lighttpd_ports"
check Python $python 8000

# --- Services -----------------------------------------------------------------------------------------

tap_is "service: nginx" "$(service_of $nginx 80)" "http http-enum nginx|$(lab_upstream nginx)|"
tap_is "service: over TLS it is https" "$(service_of $nginx 443)" "https http-enum nginx|$(lab_upstream nginx)|"
tap_is "service: nginx that does not say its version" "$(service_of $nginx 8008)" "http http-enum nginx||"
tap_is "service: Apache" "$(service_of $apache 80)" \
	"http http-enum Apache httpd|$(lab_upstream apache2-bin)|(Debian)"
tap_is "service: lighttpd" "$(service_of $lighttpd 80)" "http http-enum lighttpd|$(lab_upstream lighttpd)|"
tap_is "service: Python's server" "$(service_of $python 8000)" \
	"http http-enum SimpleHTTP|0.6|Python/$(python3 -c 'import platform; print(platform.python_version())')"
tap_is "silence: no service, and no error" "$(service_of $python 8088)$(said all.ndjson http-enum tls |
	awk '$2 == 8088')" "$python 8088 ok -"

# --- With banners ---------------------------------------------------------------------------------------

# Then analyze_banner is the hook, and what is said first tells TLS from plain. Python's server answers
# to one after the other only.
enum banners --set banner.enable=on --set dataplane.source=$SPARE_IP --set banner.wait=5s \
	--plugin-arg http-enum.delay=0 -p 80,443,8001,8010 $nginx,$apache
scan_status "banners: exit status" banners 0
python3 "$LAB_TOOLS/webtruth.py" list banners.ndjson | sort >got
awk '($1 == "'$nginx'" || $1 == "'$apache'") && ($2 == 80 || $2 == 443 || $2 == 8001 || $2 == 8010)' found \
	| sort >want
tap_same "banners: the same is found" got want
tap_true "banners: there were some" grep -q '"banner' banners.ndjson

# --- Settings -------------------------------------------------------------------------------------------

enum named --plugin-arg http-enum.host=named.lab.example --plugin-arg http-enum.paths=/only-here,/robots.txt,/admin \
	--plugin-arg http-enum.status=200 --plugin-arg http-enum.delay=0.1 -p 443,8081 $nginx
scan_status "settings: exit status" named 0
tap_is "settings: a host of that name, with paths and status as given" \
	"$(python3 "$LAB_TOOLS/webtruth.py" list named.ndjson | sort | tr '\n' ';')" \
	"$nginx 443 tls /robots.txt;$nginx 8081 plain /only-here;$nginx 8081 plain /robots.txt;"
tap_is "settings: the name goes out in TLS" "$(value named.ndjson http-enum 443 powered_by)" named.lab.example
tap_is "settings: never two requests within the delay" \
	"$(awk 'NR > 1 && $2 - before < 0.09 { print $2 - before } { before = $2 } END { print (NR > 6) }' \
		"$LAB/nginx-$nginx-0/times")" 1

refuses() { # KEY=VALUE PATTERN
	enum wrong --plugin-arg "http-enum.$1" -p 80 $nginx
	tap_is "settings: $1 ends it before it begins" "$status $(wc -l <wrong.ndjson)" "2 0"
	tap_match "settings: $1: what is wrong" "$(cat wrong.err)" "$2"
}
refuses tls=maybe 'http-enum.*tls must be "auto", "yes" or "no"'
refuses paths=admin 'http-enum.*paths: entry 1 must be'

# lighttpd keeps its log to itself for a while, but writes it when it ends.
kill_all
check_log lighttpd $lighttpd "$lighttpd_log"

tap_done
