-- SPDX-License-Identifier: BSD-3-Clause
-- Operating systems, found by a word as products are (lib/products.lua). The first row of a word that
-- matches counts, so rows that tell a release come first; of several words, one that tells a release. Releases by package versions are those that
-- the distributions published.

local DEBIAN, UBUNTU = "o:debian:debian_linux", "o:canonical:ubuntu_linux"

return {
	-- A revision +deb12u3 says its release.
	{ word = "deb", match = "%f[%w]deb(%d+)u%d", name = "Debian Linux", version = "$1", cpe = DEBIAN },
	{ word = "debian", match = "^OpenSSH_10%.0p%d Debian", name = "Debian Linux", version = "13", cpe = DEBIAN },
	{ word = "debian", match = "^OpenSSH_9%.2p%d Debian", name = "Debian Linux", version = "12", cpe = DEBIAN },
	{ word = "debian", match = "^OpenSSH_8%.4p%d Debian", name = "Debian Linux", version = "11", cpe = DEBIAN },
	{ word = "debian", match = "^OpenSSH_7%.9p%d Debian", name = "Debian Linux", version = "10", cpe = DEBIAN },
	{ word = "debian", match = "^OpenSSH_7%.4p%d Debian", name = "Debian Linux", version = "9", cpe = DEBIAN },
	{ word = "debian", name = "Debian Linux", cpe = DEBIAN },
	{ word = "ubuntu", match = "^OpenSSH_9%.6p%d Ubuntu", name = "Ubuntu Linux", version = "24.04", cpe = UBUNTU },
	{ word = "ubuntu", match = "^OpenSSH_8%.9p%d Ubuntu", name = "Ubuntu Linux", version = "22.04", cpe = UBUNTU },
	{ word = "ubuntu", match = "^OpenSSH_8%.2p%d Ubuntu", name = "Ubuntu Linux", version = "20.04", cpe = UBUNTU },
	{ word = "ubuntu", match = "^OpenSSH_7%.6p%d Ubuntu", name = "Ubuntu Linux", version = "18.04", cpe = UBUNTU },
	{ word = "ubuntu", match = "^OpenSSH_7%.2p%d Ubuntu", name = "Ubuntu Linux", version = "16.04", cpe = UBUNTU },
	{ word = "ubuntu", match = "^OpenSSH_6%.6%.1p%d Ubuntu", name = "Ubuntu Linux", version = "14.04", cpe = UBUNTU },
	{ word = "ubuntu", match = "ubuntu[%d.]*~?(%d%d%.%d%d)%.%d", name = "Ubuntu Linux", version = "$1", cpe = UBUNTU },
	{ word = "ubuntu", name = "Ubuntu Linux", cpe = UBUNTU },
	{ word = "raspbian", name = "Raspbian", cpe = "o:raspberrypi:raspberry_pi_os" },
	{ word = "centos", name = "CentOS", cpe = "o:centos:centos" },
	{ word = "red", match = "Red Hat", name = "Red Hat Enterprise Linux", cpe = "o:redhat:enterprise_linux" },
	{ word = "rocky", match = "Rocky Linux", name = "Rocky Linux", cpe = "o:rocky:rocky" },
	{ word = "almalinux", name = "AlmaLinux", cpe = "o:almalinux:almalinux" },
	{ word = "fedora", name = "Fedora Linux", cpe = "o:fedoraproject:fedora" },
	{ word = "amazon", match = "%(Amazon", name = "Amazon Linux", cpe = "o:amazon:linux" },
	{ word = "suse", name = "SUSE Linux", cpe = "o:suse:linux" },
	{ word = "gentoo", name = "Gentoo Linux", cpe = "o:gentoo:linux" },
	{ word = "freebsd", name = "FreeBSD", cpe = "o:freebsd:freebsd" },
	{ word = "netbsd", match = "NetBSD[_ /-]", name = "NetBSD", cpe = "o:netbsd:netbsd" },
	{ word = "openbsd", name = "OpenBSD", cpe = "o:openbsd:openbsd" },
	{ word = "darwin", name = "macOS", cpe = "o:apple:macos" },
	{ word = "win", match = "%(Win%d%d%)", name = "Windows", cpe = "o:microsoft:windows" },
	{ word = "windows", name = "Windows", cpe = "o:microsoft:windows" },
	{ word = "winsshd", name = "Windows", cpe = "o:microsoft:windows" },
	-- IIS belongs to a release of Windows Server.
	{ word = "iis", match = "IIS/8%.5", name = "Windows Server 2012 R2", cpe = "o:microsoft:windows_server_2012:r2" },
	{ word = "iis", match = "IIS/8%.0", name = "Windows Server 2012", cpe = "o:microsoft:windows_server_2012" },
	{ word = "iis", match = "IIS/7%.5", name = "Windows Server 2008 R2", cpe = "o:microsoft:windows_server_2008:r2" },
	{ word = "iis", match = "IIS/7%.0", name = "Windows Server 2008", cpe = "o:microsoft:windows_server_2008" },
	{ word = "iis", match = "IIS/6%.0", name = "Windows Server 2003", cpe = "o:microsoft:windows_server_2003" },
	{ word = "iis", name = "Windows", cpe = "o:microsoft:windows" },
	{ word = "httpapi", match = "Microsoft%-HTTPAPI", name = "Windows", cpe = "o:microsoft:windows" },
	{ word = "microsoft", match = "Microsoft ESMTP", name = "Windows", cpe = "o:microsoft:windows" },
	{ word = "microsoft", match = "Microsoft FTP", name = "Windows", cpe = "o:microsoft:windows" },
	{ word = "microsoft", match = "Microsoft Telnet", name = "Windows", cpe = "o:microsoft:windows" },
	{ word = "cisco", match = "^Cisco%-", name = "Cisco IOS", cpe = "o:cisco:ios" },
	{ word = "mikrotik", match = "MikroTik v([%w.]+)", name = "MikroTik RouterOS", version = "$1", cpe = "o:mikrotik:routeros" },
	{ word = "rosssh", name = "MikroTik RouterOS", cpe = "o:mikrotik:routeros" },
	{ word = "linux", name = "Linux", cpe = "o:linux:linux_kernel" },
	{ word = "unix", match = "%(Unix%)", name = "Unix" },
}
