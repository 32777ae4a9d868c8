# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Real servers in the lab, as Debian ships them, though none of them is installed: tests/unpack.sh made a
# folder of what their packages hold. Source it behind lab.sh and call lab_servers first:
#
#   lab_servers nginx-light redis-server
#   serve_nginx world 198.18.20.1 80
#   serve_redis world 198.18.20.2 6379
#   wait_serving world tcp/198.18.20.1:80 tcp/198.18.20.2:6379
#
# Each server has a small configuration of ours, which leaves what it says of itself at Debian's default,
# and keeps all that it writes in $LAB/SERVER-ADDRESS-PORT, which is in memory. It runs in the foreground
# under lab.sh's serve. [CONFIG] is added to its configuration, one or more lines in its own language.

LAB_ROOT=${LAB_ROOT:-$TOP_DIR/build/lab-root}

# What maintainer scripts would have made.
lab_users='avahi bind Debian-exim Debian-snmp dovecot dovenull ftp memcache mosquitto mysql openldap postfix
	postgres proftpd redis sshd unbound _chrony'
lab_groups='postdrop'

lab_bail() {
	printf 'Bail out! %s\n' "$*"
	exit 1
}

# lab_servers PACKAGE...: from here on the programs of these packages are there, and system users for
# them. In our mount namespace only: all that is seen of it outside is a folder that was read.
lab_servers() {
	local name id=58000
	command -v dpkg-query >/dev/null || tap_skip_all "the lab's servers are Debian packages"
	[ -e "$LAB_ROOT/packages" ] || lab_bail "no servers in $LAB_ROOT: run: sudo make deps-servers"
	for name in "$@"; do
		[ -n "$(lab_version "$name")" ] ||
			lab_bail "no $name in $LAB_ROOT: run: sudo make deps-servers, which says why"
	done
	# By way of a link, as a colon in the path would end it.
	ln -sfn "$LAB_ROOT" "$LAB/root"
	# Servers' own users have to reach what we make for them.
	umask 022
	chmod 755 "$LAB"
	mkdir -p "$LAB/etc/upper" "$LAB/etc/work" /run/sshd /run/vsftpd/empty
	if ! mount -t overlay overlay -o "lowerdir=$LAB/root/usr:/usr" /usr ||
		! mount -t overlay overlay \
			-o "lowerdir=$LAB/root/etc:/etc,upperdir=$LAB/etc/upper,workdir=$LAB/etc/work" /etc; then
		lab_bail "cannot mount the servers' files over /usr and /etc (overlayfs)"
	fi
	for name in $lab_groups $lab_users; do
		id=$((id + 1))
		grep -q "^$name:" /etc/group || echo "$name:x:$id:" >>/etc/group
	done
	for name in $lab_users; do
		grep -q "^$name:" /etc/passwd || {
			id=$(sed -n "s/^$name:[^:]*:\([0-9]*\):.*/\1/p" /etc/group)
			echo "$name:x:$id:$id::/nonexistent:/usr/sbin/nologin" >>/etc/passwd
		}
	done
}

# lab_version PACKAGE: of what runs here, in Debian's form (1.22.1-9+deb12u1); nothing where it is not.
lab_version() {
	local version
	version=$(awk -v name="$1" '$1 == name { print $2 }' "$LAB_ROOT/packages")
	[ -n "$version" ] || version=$(dpkg-query -W -f '${db:Status-Status} ${Version}' "$1" 2>/dev/null |
		sed -n 's/^installed //p')
	echo "$version"
}

# lab_upstream PACKAGE: its version in its authors' form (1.22.1).
lab_upstream() {
	lab_version "$1" | sed -E 's/^[0-9]+://; s/-[^-]*$//; s/[+~]dfsg.*//'
}

# serve_setup SERVER ADDRESS PORT: makes the server's folder and says its name in $server_dir.
serve_setup() {
	server_dir=$LAB/$1-$2-$3
	mkdir -p "$server_dir"
}

# Some servers take only addresses that an interface has, while world owns a network by a route.
own_address() { # NAME ADDRESS
	[ -n "$(ip -n "$1" -o address show to "$2/32")" ] || ip -n "$1" address add "$2/32" dev lo
}

# serve_as NAME USER COMMAND...: serve, as that user.
serve_as() {
	local name=$1 user=$2
	shift 2
	serve "$name" setpriv --reuid="$user" --regid="$user" --clear-groups -- "$@"
}

# A program outside /usr: where its package is installed too, AppArmor may hold what is started from
# there to its usual folders.
unconfined() { # PROGRAM: says the path to start
	mkdir -p "$LAB/bin"
	[ -e "$LAB/bin/${1##*/}" ] || cp "$1" "$LAB/bin/"
	echo "$LAB/bin/${1##*/}"
}

# wait_serving NAME PROTO/ADDRESS:PORT...: until a socket is bound to each, as in tcp/198.18.20.1:80.
wait_serving() {
	local name=$1 socket tries=0
	shift
	for socket in "$@"; do
		until [ -n "$(on "$name" ss -Hln "--${socket%%/*}" "src = ${socket#*/}")" ]; do
			tries=$((tries + 1))
			if [ $tries -gt 1200 ]; then
				tap_not_ok "the lab's server on $name $socket started"
				tail -n 50 "$LAB/servers.log" | sed 's/^/# /'
				tap_done
			fi
			sleep 0.05
		done
	done
}

# --- Web ------------------------------------------------------------------------------------------

serve_nginx() { # NAME ADDRESS PORT [CONFIG]: lines of its server block
	serve_setup nginx "$2" "$3"
	cat >"$server_dir/nginx.conf" <<-CONF
		daemon off;
		user www-data;
		worker_processes 1;
		pid $server_dir/pid;
		error_log stderr;
		events { }
		http {
			include /etc/nginx/mime.types;
			access_log $server_dir/access.log;
			client_body_temp_path $server_dir/body;
			proxy_temp_path $server_dir/proxy;
			fastcgi_temp_path $server_dir/fastcgi;
			uwsgi_temp_path $server_dir/uwsgi;
			scgi_temp_path $server_dir/scgi;
			server {
				listen $2:$3;
				root /usr/share/nginx/html;
				${4:-}
			}
		}
	CONF
	serve "$1" nginx -e stderr -c "$server_dir/nginx.conf"
}

serve_apache() { # NAME ADDRESS PORT [CONFIG]
	serve_setup apache "$2" "$3"
	cat >"$server_dir/apache.conf" <<-CONF
		ServerRoot $server_dir
		ServerName lab.example
		ServerTokens OS
		Listen $2:$3
		PidFile $server_dir/pid
		DefaultRuntimeDir $server_dir
		ErrorLog /dev/stderr
		User www-data
		Group www-data
		LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
		LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
		LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
		LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
		TypesConfig /dev/null
		AddType text/html .html
		StartServers 1
		DocumentRoot /usr/share/apache2/default-site
		DirectoryIndex index.html
		LogFormat "%h %t \"%r\" %>s %b" common
		CustomLog $server_dir/access.log common
		${4:-}
	CONF
	serve "$1" apache2 -D FOREGROUND -f "$server_dir/apache.conf"
}

serve_lighttpd() { # NAME ADDRESS PORT [CONFIG]
	serve_setup lighttpd "$2" "$3"
	mkdir -p "$server_dir/www"
	cp /usr/share/lighttpd/index.html "$server_dir/www/" 2>/dev/null || echo lab >"$server_dir/www/index.html"
	cat >"$server_dir/lighttpd.conf" <<-CONF
		server.bind = "$2"
		server.port = $3
		server.document-root = "$server_dir/www"
		server.username = "www-data"
		server.groupname = "www-data"
		index-file.names = ( "index.html" )
		mimetype.assign = ( ".html" => "text/html" )
		${4:-}
	CONF
	serve "$1" lighttpd -D -f "$server_dir/lighttpd.conf"
}

# --- Remote shells and files ----------------------------------------------------------------------

serve_sshd() { # NAME ADDRESS PORT [CONFIG]
	serve_setup sshd "$2" "$3"
	[ -e "$LAB/sshd-hostkey" ] || ssh-keygen -q -t ed25519 -N '' -f "$LAB/sshd-hostkey"
	cat >"$server_dir/sshd_config" <<-CONF
		ListenAddress $2:$3
		HostKey $LAB/sshd-hostkey
		PidFile $server_dir/pid
		UsePAM no
		${4:-}
	CONF
	serve "$1" /usr/sbin/sshd -D -e -f "$server_dir/sshd_config"
}

serve_vsftpd() { # NAME ADDRESS PORT [CONFIG]
	serve_setup vsftpd "$2" "$3"
	mkdir -p "$server_dir/pub"
	cat >"$server_dir/vsftpd.conf" <<-CONF
		listen=YES
		listen_ipv6=NO
		listen_address=$2
		listen_port=$3
		background=NO
		anonymous_enable=YES
		anon_root=$server_dir/pub
		secure_chroot_dir=/run/vsftpd/empty
		vsftpd_log_file=$server_dir/log
	CONF
	printf '%b\n' "${4:-}" >>"$server_dir/vsftpd.conf"
	serve "$1" vsftpd "$server_dir/vsftpd.conf"
}

serve_proftpd() { # NAME ADDRESS PORT [CONFIG]
	serve_setup proftpd "$2" "$3"
	cat >"$server_dir/proftpd.conf" <<-CONF
		ServerName Debian
		ServerType standalone
		UseIPv6 off
		UseReverseDNS off
		DefaultAddress $2
		SocketBindTight on
		Port $3
		User proftpd
		Group nogroup
		PidFile $server_dir/pid
		ScoreboardFile $server_dir/scoreboard
		SystemLog $server_dir/log
		${4:-}
	CONF
	serve "$1" proftpd --nodaemon --config "$server_dir/proftpd.conf"
}

# --- Mail -----------------------------------------------------------------------------------------

serve_postfix() { # NAME ADDRESS PORT [CONFIG]: lines of main.cf
	local name
	own_address "$1" "$2"
	serve_setup postfix "$2" "$3"
	mkdir -p "$server_dir/data" "$server_dir/queue"
	for name in active bounce corrupt defer deferred flush hold incoming maildrop pid private public saved \
		trace; do
		mkdir -p "$server_dir/queue/$name"
		chown postfix "$server_dir/queue/$name"
	done
	chown root "$server_dir/queue/pid"
	chown postfix "$server_dir/data"
	chgrp postdrop "$server_dir/queue/maildrop" "$server_dir/queue/public"
	chmod 730 "$server_dir/queue/maildrop"
	# The banner is that of Debian's own main.cf.
	cat >"$server_dir/main.cf" <<-CONF
		compatibility_level = 3.6
		myhostname = mail.lab.example
		inet_interfaces = $2
		inet_protocols = ipv4
		mydestination = lab.example
		smtpd_banner = \$myhostname ESMTP \$mail_name (Debian/GNU)
		queue_directory = $server_dir/queue
		data_directory = $server_dir/data
		alias_maps =
		alias_database =
		smtpd_peername_lookup = no
		maillog_file = $server_dir/log
		maillog_file_prefixes = $server_dir
	CONF
	printf '%b\n' "${4:-}" >>"$server_dir/main.cf"
	cat >"$server_dir/master.cf" <<-CONF
		$3 inet n - n - - smtpd
		anvil unix - - n - 1 anvil
		bounce unix - - n - 0 bounce
		cleanup unix n - n - 0 cleanup
		discard unix - - n - - discard
		error unix - - n - - error
		local unix - n n - - local
		postlog unix-dgram n - n - 1 postlogd
		proxymap unix - - n - - proxymap
		qmgr unix n - n 300 1 qmgr
		rewrite unix - - n - - trivial-rewrite
		smtp unix - - n - - smtp
		tlsmgr unix - - n 1000? 1 tlsmgr
	CONF
	serve "$1" /usr/lib/postfix/sbin/master -d -c "$server_dir"
}

serve_exim() { # NAME ADDRESS PORT [CONFIG]: lines of the main section
	serve_setup exim "$2" "$3"
	mkdir -p "$server_dir/spool"
	chown Debian-exim "$server_dir/spool" "$server_dir"
	cat >"$server_dir/exim.conf" <<-CONF
		primary_hostname = mail.lab.example
		local_interfaces = $2
		daemon_smtp_ports = $3
		disable_ipv6
		spool_directory = $server_dir/spool
		log_file_path = $server_dir/%slog
		pid_file_path = $server_dir/pid
		host_lookup =
		rfc1413_query_timeout = 0s
		acl_smtp_rcpt = deny_all
		keep_environment =
		${4:-}
		begin acl
		deny_all:
		  deny
	CONF
	chmod 644 "$server_dir/exim.conf"
	serve "$1" exim4 -bdf -C "$server_dir/exim.conf"
}

# serve_dovecot NAME ADDRESS PORT [CONFIG]: IMAP. With PORT as IMAP:POP3 both.
serve_dovecot() {
	local imap=${3%%:*} pop3=${3#*:}
	[ "$pop3" != "$3" ] || pop3=0
	serve_setup dovecot "$2" "$imap"
	cat >"$server_dir/dovecot.conf" <<-CONF
		protocols = imap pop3
		listen = $2
		base_dir = $server_dir/run
		state_dir = $server_dir/state
		log_path = /dev/stderr
		ssl = no
		mail_location = maildir:$server_dir/mail/%u
		passdb {
		  driver = static
		  args = nopassword=y
		}
		userdb {
		  driver = static
		  args = uid=dovecot gid=dovecot home=$server_dir
		}
		service imap-login {
		  inet_listener imap {
		    port = $imap
		  }
		  inet_listener imaps {
		    port = 0
		  }
		}
		service pop3-login {
		  inet_listener pop3 {
		    port = $pop3
		  }
		  inet_listener pop3s {
		    port = 0
		  }
		}
		${4:-}
	CONF
	serve "$1" dovecot -F -c "$server_dir/dovecot.conf"
}

# --- Databases ------------------------------------------------------------------------------------

serve_mariadb() { # NAME ADDRESS PORT [CONFIG]: lines of its [mariadbd]. User lab has no password.
	serve_setup mariadb "$2" "$3"
	mkdir -p "$server_dir/data" "$server_dir/tmp"
	chown mysql "$server_dir" "$server_dir/data" "$server_dir/tmp"
	# Without a user who may come from afar it would greet nobody.
	echo "CREATE USER IF NOT EXISTS lab@'%';" >"$server_dir/init.sql"
	cat >"$server_dir/my.cnf" <<-CONF
		[mariadbd]
		user = mysql
		bind-address = $2
		port = $3
		datadir = $server_dir/data
		tmpdir = $server_dir/tmp
		socket = $server_dir/socket
		pid-file = $server_dir/data/pid
		init-file = $server_dir/init.sql
		skip-name-resolve
		innodb-log-file-size = 4M
		innodb-buffer-pool-size = 8M
		${4:-}
	CONF
	mariadb-install-db --defaults-file="$server_dir/my.cnf" --skip-test-db \
		--auth-root-authentication-method=normal >>"$LAB/servers.log" 2>&1
	serve "$1" mariadbd --defaults-file="$server_dir/my.cnf"
}

serve_postgres() { # NAME ADDRESS PORT [CONFIG]: lines of postgresql.conf. Anyone may be postgres.
	local bin
	bin=$(echo /usr/lib/postgresql/*/bin)
	serve_setup postgres "$2" "$3"
	chown postgres "$server_dir"
	setpriv --reuid=postgres --regid=postgres --clear-groups -- "$bin/initdb" -D "$server_dir/data" \
		--auth=trust --no-sync --locale=C --encoding=UTF8 >>"$LAB/servers.log" 2>&1
	echo 'host all all 0.0.0.0/0 trust' >>"$server_dir/data/pg_hba.conf"
	cat >>"$server_dir/data/postgresql.conf" <<-CONF
		listen_addresses = '$2'
		port = $3
		unix_socket_directories = '$server_dir'
		fsync = off
		shared_buffers = 16MB
		${4:-}
	CONF
	serve_as "$1" postgres "$bin/postgres" -D "$server_dir/data"
}

serve_redis() { # NAME ADDRESS PORT [CONFIG]
	serve_setup redis "$2" "$3"
	cat >"$server_dir/redis.conf" <<-CONF
		bind $2
		port $3
		dir $server_dir
		daemonize no
		protected-mode no
		save ""
		${4:-}
	CONF
	serve "$1" redis-server "$server_dir/redis.conf"
}

serve_memcached() { # NAME ADDRESS PORT: TCP and UDP
	serve "$1" memcached -u memcache -l "$2" -p "$3" -U "$3" -m 8
}

# --- Names, time, the network ---------------------------------------------------------------------

serve_unbound() { # NAME ADDRESS PORT [CONFIG]: lines of its server section
	serve_setup unbound "$2" "$3"
	cat >"$server_dir/unbound.conf" <<-CONF
		server:
			interface: $2
			port: $3
			access-control: 198.18.0.0/15 allow
			do-daemonize: no
			use-syslog: no
			username: unbound
			chroot: ""
			directory: "$server_dir"
			pidfile: "$server_dir/pid"
			module-config: "iterator"
			local-zone: "lab.example." static
			local-data: "lab.example. A 198.18.0.1"
			${4:-}
		remote-control:
			control-enable: no
	CONF
	serve "$1" "$(unconfined /usr/sbin/unbound)" -d -c "$server_dir/unbound.conf"
}

serve_named() { # NAME ADDRESS PORT [CONFIG [OPTIONS]]: further statements, and lines of options
	own_address "$1" "$2"
	serve_setup named "$2" "$3"
	chown bind "$server_dir"
	cat >"$server_dir/lab.zone" <<-'ZONE'
		$TTL 60
		@ SOA ns hostmaster 1 3600 600 86400 60
		@ NS ns
		@ A 198.18.0.1
		ns A 198.18.0.1
	ZONE
	cat >"$server_dir/named.conf" <<-CONF
		options {
			directory "$server_dir";
			pid-file "$server_dir/pid";
			session-keyfile "$server_dir/session.key";
			listen-on port $3 { $2; };
			listen-on-v6 { none; };
			recursion no;
			dnssec-validation no;
			${5:-}
		};
		controls { };
		zone "lab.example" { type primary; file "$server_dir/lab.zone"; };
		${4:-}
	CONF
	serve "$1" "$(unconfined /usr/sbin/named)" -g -u bind -n 1 -c "$server_dir/named.conf"
}

serve_mosquitto() { # NAME ADDRESS PORT [CONFIG]
	serve_setup mosquitto "$2" "$3"
	cat >"$server_dir/mosquitto.conf" <<-CONF
		listener $3 $2
		allow_anonymous true
		persistence false
		log_dest stderr
		${4:-}
	CONF
	serve "$1" mosquitto -c "$server_dir/mosquitto.conf"
}

serve_slapd() { # NAME ADDRESS PORT [CONFIG]: lines of slapd.conf, before the database
	serve_setup slapd "$2" "$3"
	mkdir -p "$server_dir/data"
	chown -R openldap "$server_dir"
	cat >"$server_dir/slapd.conf" <<-CONF
		include /etc/ldap/schema/core.schema
		pidfile $server_dir/pid
		argsfile $server_dir/args
		modulepath /usr/lib/ldap
		moduleload back_mdb
		${4:-}
		database mdb
		suffix "dc=lab,dc=example"
		directory $server_dir/data
		maxsize 10485760
	CONF
	serve "$1" "$(unconfined /usr/sbin/slapd)" -d none -u openldap -g openldap -f "$server_dir/slapd.conf" \
		-h "ldap://$2:$3"
}

serve_snmpd() { # NAME ADDRESS PORT [CONFIG]
	serve_setup snmpd "$2" "$3"
	cat >"$server_dir/snmpd.conf" <<-CONF
		agentaddress udp:$2:$3
		rocommunity public
		syslocation lab
		${4:-}
	CONF
	serve "$1" env SNMP_PERSISTENT_DIR="$server_dir" MIBS= snmpd -f -Lo -I -smux -C \
		-c "$server_dir/snmpd.conf" -p "$server_dir/pid"
}

serve_chrony() { # NAME ADDRESS PORT [CONFIG]: an NTP server that leaves the clock alone
	serve_setup chrony "$2" "$3"
	cat >"$server_dir/chrony.conf" <<-CONF
		local stratum 10
		allow 198.18.0.0/15
		bindaddress $2
		port $3
		cmdport 0
		bindcmdaddress /
		pidfile $server_dir/pid
		user root
		${4:-}
	CONF
	serve "$1" "$(unconfined /usr/sbin/chronyd)" -d -x -f "$server_dir/chrony.conf"
}
