-- SPDX-License-Identifier: BSD-3-Clause
-- Name servers by the text of version.bind: a Lua pattern whose capture is the version, product, CPE.

return {
	{ "^unbound ([%w.]+)", "Unbound", "a:nlnetlabs:unbound" },
	{ "^NSD ([%w.]+)", "NSD", "a:nlnetlabs:name_server_daemon" },
	{ "^dnsmasq%-([%w.]+)", "dnsmasq", "a:thekelleys:dnsmasq" },
	{ "^PowerDNS Authoritative Server ([%w.-]+)", "PowerDNS Authoritative Server", "a:powerdns:authoritative" },
	{ "^PowerDNS Recursor ([%w.-]+)", "PowerDNS Recursor", "a:powerdns:recursor" },
	{ "^dnsdist ([%w.-]+)", "dnsdist", "a:powerdns:dnsdist" },
	{ "^Knot DNS ([%w.]+)", "Knot DNS", "a:nic:knot_dns" },
	{ "^Knot Resolver ([%w.]+)", "Knot Resolver", "a:nic:knot_resolver" },
	{ "^CoreDNS%-([%w.]+)", "CoreDNS", "a:coredns.io:coredns" },
	{ "^Microsoft DNS ([%w.]+)", "Microsoft DNS", "o:microsoft:windows_server" },
	{ "^gdnsd[ /]([%w.]+)", "gdnsd", nil },
	-- BIND says a version and nothing else: 9.18.33-1~deb12u2-Debian, 9.11.4-P2-RedHat-9.11.4-26.
	{ "^BIND (9%.%d+%.%d+)", "ISC BIND", "a:isc:bind" },
	{ "^(9%.%d+%.%d+)", "ISC BIND", "a:isc:bind" },
}
