/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * --doctor. One function looks at one thing and reports a finding or several. Main thread, instead of a scan; owns
 * nothing but the list of network devices.
 */
#include "doctor.h"
#include "json.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum verdict {
	OK,
	WARN, /* a scan works, but slower, or with less around it */
	BAD, /* a scan of a network, or its plugins, cannot work */
};

enum {
	MOST_NICS = 64,
	TEXT_BYTES = 512,
	FILE_BYTES = 65536,
	WIDTH = 80,
	INDENT = 6,
	LEAST_FILES = 1024,
	LEAST_LOCKED_MB = 64, /* packet memory of a small af_packet port */
};

static const char *const verdict_names[] = {"ok", "warn", "bad"};

struct nic {
	char name[64], driver[64], pci[32];
	int node; /* of NUMA; -1: none */
	unsigned queues;
};

struct doctor {
	const char *root;
	FILE *out;
	struct json json;
	bool as_json, any;
	unsigned nb_bad;
	struct nic nics[MOST_NICS];
	unsigned nb_nics;
	bool virtual; /* a hypervisor is below */
};

/* ---- Reading ---- */

static void path_of(
	const struct doctor *d, char path[static PATH_MAX], const char *format, va_list args) {
	const int used = snprintf(path, PATH_MAX, "%s", d->root);

	if (used < PATH_MAX)
		vsnprintf(path + used, (size_t)(PATH_MAX - used), format, args);
}

/* What a file holds, without white space at its end; "" where there is none. */
__attribute__((format(printf, 4, 5))) static const char *read_text(
	const struct doctor *d, char *text, size_t room, const char *format, ...) {
	char path[PATH_MAX];
	va_list args;
	FILE *file;
	size_t n;

	va_start(args, format);
	path_of(d, path, format, args);
	va_end(args);
	file = fopen(path, "re");
	n = file ? fread(text, 1, room - 1, file) : 0;
	if (file)
		fclose(file);
	while (n && isspace((unsigned char)text[n - 1]))
		n--;
	text[n] = '\0';
	return text;
}

__attribute__((format(printf, 2, 3))) static bool exists(
	const struct doctor *d, const char *format, ...) {
	char path[PATH_MAX];
	va_list args;

	va_start(args, format);
	path_of(d, path, format, args);
	va_end(args);
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The last component of what a link points to; "" where there is none. */
__attribute__((format(printf, 4, 5))) static const char *read_link(
	const struct doctor *d, char *name, size_t room, const char *format, ...) {
	char path[PATH_MAX], target[PATH_MAX];
	const char *slash;
	va_list args;
	ssize_t n;

	va_start(args, format);
	path_of(d, path, format, args);
	va_end(args);
	n = readlink(path, target, sizeof target - 1);
	target[n < 0 ? 0 : n] = '\0';
	slash = strrchr(target, '/');
	snprintf(name, room, "%.60s", slash ? slash + 1 : target);
	return name;
}

typedef void (*entry_fn)(struct doctor *d, const char *name, void *user);

static void each_entry(struct doctor *d, const char *folder, entry_fn fn, void *user) {
	char path[PATH_MAX];
	struct dirent **entries;
	int n;

	snprintf(path, sizeof path, "%s%s", d->root, folder);
	n = scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (entries[i]->d_name[0] != '.')
			fn(d, entries[i]->d_name, user);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

static bool has_word(const char *text, const char *word) {
	const size_t length = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at += length)
		if ((at == text || isspace((unsigned char)at[-1]) || at[-1] == ',')
			&& (!at[length] || isspace((unsigned char)at[length]) || at[length] == ','
				|| at[length] == '='))
			return true;
	return false;
}

/* The number behind @name in text of lines; 0 where it is not there. */
static uint64_t number_of(const char *text, const char *name, int base) {
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, base) : 0;
}

/* ---- Reporting ---- */

static void wrap(FILE *out, const char *text, int *column) {
	while (*text) {
		const int word = (int)strcspn(text, " ");

		if (*column > INDENT && *column + 1 + word > WIDTH) {
			fprintf(out, "\n%*s", INDENT, "");
			*column = INDENT;
		} else if (*column > INDENT) {
			fputc(' ', out);
			(*column)++;
		}
		fprintf(out, "%.*s", word, text);
		*column += word;
		text += word;
		text += strspn(text, " ");
	}
}

/* Names of others are shown, too. */
static void make_plain(char *text) {
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static void put(
	struct doctor *d, enum verdict verdict, const char *check, char *what, const char *change) {
	int column = INDENT;

	make_plain(what);
	d->nb_bad += verdict == BAD;
	if (d->as_json) {
		fputs(d->any ? ",\n " : "[", d->out);
		d->json.comma = false;
		json_begin(&d->json, NULL);
		json_text(&d->json, "verdict", verdict_names[verdict]);
		json_text(&d->json, "check", check);
		json_text(&d->json, "what", what);
		if (*change)
			json_text(&d->json, "change", change);
		else
			json_null(&d->json, "change");
		json_end(&d->json);
	} else {
		fprintf(d->out, "%-4s  ", verdict_names[verdict]);
		wrap(d->out, what, &column);
		if (*change) {
			wrap(d->out, "--", &column);
			wrap(d->out, change, &column);
		}
		fputc('\n', d->out);
	}
	d->any = true;
}

/* @change: "" where there is nothing to. */
__attribute__((format(printf, 5, 6))) static void report(struct doctor *d, enum verdict verdict,
	const char *check, const char *change, const char *format, ...) {
	char what[TEXT_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	put(d, verdict, check, what, verdict == OK ? "" : change);
}

/* ---- Processor, clock ---- */

static void look_at_cpu(struct doctor *d) {
	char text[FILE_BYTES], isolated[128], full[128], online[128];
	const char *flags = strstr(read_text(d, text, sizeof text, "/proc/cpuinfo"), "\nflags");

	d->virtual = flags && has_word(flags, "hypervisor");
	if (d->virtual)
		report(d, WARN, "machine",
			"for line rate use the bare machine, or a NIC that is passed through",
			"this is a virtual machine: rates and delays are what its host leaves");
	if (flags && has_word(flags, "constant_tsc") && has_word(flags, "nonstop_tsc"))
		report(d, OK, "tsc", "", "the TSC runs at one rate and never stops");
	else
		report(d, WARN, "tsc",
			"use a CPU, or a CPU model of the virtual machine, with constant_tsc and "
			"nonstop_tsc",
			"the TSC is not known to run at one rate: rates and round-trip times "
			"drift");
	read_text(d, isolated, sizeof isolated, "/sys/devices/system/cpu/isolated");
	read_text(d, full, sizeof full, "/sys/devices/system/cpu/nohz_full");
	read_text(d, online, sizeof online, "/sys/devices/system/cpu/online");
	if (*isolated)
		report(d, strchr("0123456789", *full) && *full ? OK : WARN, "isolation",
			"add nohz_full= and rcu_nocbs= with the same CPUs to the kernel's command "
			"line",
			"CPUs %s are isolated%s", isolated,
			strchr("0123456789", *full) && *full ? ", without a tick"
							     : ", but have the timer's tick");
	else
		report(d, WARN, "isolation",
			"kernel command line: isolcpus=LIST nohz_full=LIST rcu_nocbs=LIST, with "
			"CPUs of the NIC's node but CPU 0",
			"no CPU of %s is isolated: others run where packets are sent",
			*online ? online : "all");
}

struct governors {
	unsigned cpus, slow;
	char name[64];
};

static void look_at_governor(struct doctor *d, const char *cpu, void *user) {
	struct governors *governors = user;
	char text[64];

	if (strncmp(cpu, "cpu", 3) || !isdigit((unsigned char)cpu[3]))
		return;
	if (!*read_text(d, text, sizeof text,
		    "/sys/devices/system/cpu/%.60s/cpufreq/scaling_governor", cpu))
		return;
	governors->cpus++;
	if (strcmp(text, "performance")) {
		governors->slow++;
		snprintf(governors->name, sizeof governors->name, "%s", text);
	}
}

static void look_at_governors(struct doctor *d) {
	struct governors governors = {0};

	each_entry(d, "/sys/devices/system/cpu", look_at_governor, &governors);
	if (!governors.cpus)
		report(d, OK, "governor", "", "the kernel does not change the CPUs' clock");
	else
		report(d, governors.slow ? WARN : OK, "governor",
			"cpupower frequency-set -g performance", "governor %s on %u of %u CPUs%s",
			governors.slow ? governors.name : "performance",
			governors.slow ? governors.slow : governors.cpus, governors.cpus,
			governors.slow ? ": they wake up slowly" : "");
}

static void look_at_clock(struct doctor *d) {
	char text[64];

	read_text(d, text, sizeof text,
		"/sys/devices/system/clocksource/clocksource0/current_clocksource");
	report(d, strcmp(text, "tsc") ? WARN : OK, "clock",
		"kernel command line: tsc=reliable clocksource=tsc, where the TSC is invariant",
		"clock source %s%s", *text ? text : "unknown",
		strcmp(text, "tsc") ? ": reading the time is slow" : "");
}

/* ---- Memory ---- */

struct pages {
	unsigned sizes;
	uint64_t free_mb, all_mb;
	char text[256];
};

static void look_at_pages(struct doctor *d, const char *size, void *user) {
	struct pages *pages = user;
	char text[64];
	const uint64_t kb = number_of(size, "hugepages-", 10);
	const size_t used = strlen(pages->text);
	uint64_t all, free;

	if (!kb)
		return;
	all = strtoull(read_text(d, text, sizeof text,
			       "/sys/kernel/mm/hugepages/%.60s/nr_hugepages", size),
		NULL, 10);
	free = strtoull(read_text(d, text, sizeof text,
				"/sys/kernel/mm/hugepages/%.60s/free_hugepages", size),
		NULL, 10);
	pages->sizes++;
	pages->all_mb += all * kb / 1024;
	pages->free_mb += free * kb / 1024;
	snprintf(pages->text + used, sizeof pages->text - used,
		kb >= 1048576 ? "%s%llu of %llu of %llu GiB free"
			      : "%s%llu of %llu of %llu MiB free",
		used ? ", " : "", (unsigned long long)free, (unsigned long long)all,
		(unsigned long long)(kb >= 1048576 ? kb / 1048576 : kb / 1024));
}

struct node_pages {
	const char *node;
	uint64_t pages;
};

static void add_node_pages(struct doctor *d, const char *size, void *user) {
	struct node_pages *sum = user;
	char text[64];

	sum->pages
		+= strtoull(read_text(d, text, sizeof text,
				    "/sys/devices/system/node/%.60s/hugepages/%.60s/nr_hugepages",
				    sum->node, size),
			NULL, 10);
}

/* Packet memory belongs on the node of the NIC. */
static void look_at_nodes(struct doctor *d) {
	for (unsigned i = 0; i < d->nb_nics; i++) {
		char node[32], folder[96], change[128];
		struct node_pages sum = {.node = node};

		if (d->nics[i].node < 0)
			continue;
		snprintf(node, sizeof node, "node%d", d->nics[i].node);
		snprintf(folder, sizeof folder, "/sys/devices/system/node/%s/hugepages", node);
		each_entry(d, folder, add_node_pages, &sum);
		snprintf(change, sizeof change,
			"NODE=%d in /etc/prtip/hugepages.conf, then systemctl restart "
			"prtip-hugepages",
			d->nics[i].node);
		if (!sum.pages)
			report(d, WARN, "numa", change,
				"%s is on NUMA node %d, which has no hugepages", d->nics[i].name,
				d->nics[i].node);
		else
			report(d, OK, "numa", "", "%s is on NUMA node %d, which has hugepages",
				d->nics[i].name, d->nics[i].node);
	}
}

static void look_at_memory(struct doctor *d) {
	struct pages pages = {0};

	each_entry(d, "/sys/kernel/mm/hugepages", look_at_pages, &pages);
	if (!pages.sizes)
		report(d, WARN, "hugepages", "use a kernel with CONFIG_HUGETLBFS",
			"the kernel has no hugepages");
	else if (!pages.all_mb)
		report(d, WARN, "hugepages",
			"systemctl enable --now prtip-hugepages, or kernel command line "
			"default_hugepagesz=1G hugepagesz=1G hugepages=4",
			"no hugepages: packet memory is in pages of 4 KiB");
	else
		report(d, pages.free_mb < 256 ? WARN : OK, "hugepages",
			"systemctl enable --now prtip-hugepages, with more pages in "
			"/etc/prtip/hugepages.conf",
			"hugepages: %s", pages.text);
	if (pages.all_mb)
		look_at_nodes(d);
}

static void look_at_iommu(struct doctor *d) {
	char text[4096], groups[PATH_MAX];
	bool any = false;
	struct dirent *entry;
	DIR *folder;

	snprintf(groups, sizeof groups, "%s/sys/class/iommu", d->root);
	folder = opendir(groups);
	while (folder && (entry = readdir(folder)))
		any |= entry->d_name[0] != '.';
	if (folder)
		closedir(folder);
	read_text(d, text, sizeof text, "/proc/cmdline");
	if (any)
		report(d, OK, "iommu", "", "the IOMMU is on%s",
			has_word(text, "iommu=pt") || strstr(text, "iommu=pt")
				? ", in passthrough mode"
				: "");
	else
		report(d, WARN, "iommu",
			d->virtual ? "give the machine a virtual IOMMU, or use af_xdp, which needs "
				     "none"
				   : "BIOS: VT-d or AMD-Vi; kernel command line: intel_iommu=on "
				     "iommu=pt (Intel), iommu=pt (AMD)",
			"no IOMMU: VFIO cannot have a NIC; kernel drivers (af_xdp, af_packet) can");
}

/* ---- Network devices ---- */

/* Kernel drivers, what XDP is with them, and the DPDK driver of the same hardware. */
static const struct {
	const char *kernel;
	enum { GENERIC, NATIVE, ZERO_COPY } xdp;
	const char *dpdk; /* NULL: none */
} drivers[] = {
	{"ice", ZERO_COPY, "ice"},
	{"i40e", ZERO_COPY, "i40e"},
	{"ixgbe", ZERO_COPY, "ixgbe"},
	{"ixgbevf", NATIVE, "ixgbe"},
	{"iavf", GENERIC, "iavf"},
	{"igc", ZERO_COPY, "igc"},
	{"igb", NATIVE, "e1000"},
	{"e1000e", GENERIC, "e1000"},
	{"e1000", GENERIC, "e1000"},
	{"mlx5_core", ZERO_COPY, "mlx5"},
	{"mlx4_en", NATIVE, "mlx4"},
	{"bnxt_en", NATIVE, "bnxt"},
	{"ena", NATIVE, "ena"},
	{"gve", NATIVE, "gve"},
	{"nfp", NATIVE, "nfp"},
	{"qede", NATIVE, "qede"},
	{"sfc", NATIVE, "sfc"},
	{"virtio_net", NATIVE, "virtio"},
	{"hv_netvsc", NATIVE, "netvsc"},
	{"vmxnet3", GENERIC, "vmxnet3"},
	{"r8169", GENERIC, NULL},
};

static int find_driver(const char *name) {
	for (unsigned i = 0; i < sizeof drivers / sizeof *drivers; i++)
		if (!strcmp(name, drivers[i].kernel))
			return (int)i;
	return -1;
}

/* Whether DPDK's driver is where EAL looks for it. */
static bool has_pmd(const struct doctor *d, const char *kind, const char *name) {
	char pattern[PATH_MAX];
	glob_t found;
	int rc;

	snprintf(pattern, sizeof pattern, "%s/usr/lib*/*/dpdk/pmds-*/librte_%s_%s.so*", d->root,
		kind, name);
	rc = glob(pattern, 0, NULL, &found);
	globfree(&found);
	if (!rc)
		return true;
	snprintf(pattern, sizeof pattern, "%s/usr/*/dpdk/pmds-*/librte_%s_%s.so*", d->root, kind,
		name);
	rc = glob(pattern, 0, NULL, &found);
	globfree(&found);
	return !rc;
}

static void count_queues(struct doctor *d, const char *name, void *user) {
	*(unsigned *)user += !strncmp(name, "rx-", 3);
}

static void say_port(struct doctor *d, const struct nic *nic) {
	static const char *const modes[] = {"generic XDP only: frames are copied by the kernel",
		"native XDP, frames are copied", "native XDP without copies"};
	const int driver = find_driver(nic->driver);
	char carrier[16], change[TEXT_BYTES];

	read_text(d, carrier, sizeof carrier, "/sys/class/net/%s/carrier", nic->name);
	snprintf(change, sizeof change, "ip link set %s up; look at the cable and the other end",
		nic->name);
	if (strcmp(carrier, "1"))
		report(d, WARN, "link", change, "%s: there is no link", nic->name);
	snprintf(change, sizeof change,
		"port = af_packet:%s does as well; for more use a NIC with "
		"native XDP, or VFIO",
		nic->name);
	if (driver < 0)
		report(d, WARN, "nic", change,
			"%s (%s): %u queues; what XDP can do with this driver is not known here",
			nic->name, nic->driver, nic->queues);
	else
		report(d, drivers[driver].xdp == GENERIC ? WARN : OK, "nic", change,
			"%s (%s): %u queues, af_xdp with %s", nic->name, nic->driver, nic->queues,
			modes[drivers[driver].xdp]);
	snprintf(change, sizeof change, "apt-get install librte-meta-net");
	if (driver >= 0 && *nic->pci && drivers[driver].dpdk
		&& !has_pmd(d, "net", drivers[driver].dpdk))
		report(d, WARN, "driver", change, "%s: DPDK's driver %s for it is not installed",
			nic->name, drivers[driver].dpdk);
}

static void look_at_interface(struct doctor *d, const char *name, void *user) {
	struct nic *nic = &d->nics[d->nb_nics];
	char text[64], folder[128];

	if (!exists(d, "/sys/class/net/%.60s/device", name) || d->nb_nics == MOST_NICS)
		return;
	*nic = (struct nic){.node = -1};
	snprintf(nic->name, sizeof nic->name, "%.60s", name);
	read_link(d, nic->driver, sizeof nic->driver, "/sys/class/net/%.60s/device/driver", name);
	read_link(d, text, sizeof text, "/sys/class/net/%.60s/device", name);
	if (strlen(text) == 12 && text[4] == ':')
		snprintf(nic->pci, sizeof nic->pci, "%.31s", text);
	if (*read_text(d, text, sizeof text, "/sys/class/net/%.60s/device/numa_node", name))
		nic->node = atoi(text);
	snprintf(folder, sizeof folder, "/sys/class/net/%.60s/queues", name);
	each_entry(d, folder, count_queues, &nic->queues);
	d->nb_nics++;
	say_port(d, nic);
}

/* Network devices of PCI that have left the kernel, or never got there. */
static void look_at_pci(struct doctor *d, const char *address, void *user) {
	char text[64], driver[64];
	unsigned *found = user;

	read_text(d, text, sizeof text, "/sys/bus/pci/devices/%.60s/class", address);
	if (strncmp(text, "0x02", 4))
		return;
	read_link(d, driver, sizeof driver, "/sys/bus/pci/devices/%.60s/driver", address);
	if (!strcmp(driver, "vfio-pci")) {
		(*found)++;
		report(d, OK, "nic", "", "%.20s (vfio-pci): it is DPDK's: port = %.20s", address,
			address);
		read_text(d, text, sizeof text, "/sys/bus/pci/devices/%.60s/numa_node", address);
		if (d->nb_nics < MOST_NICS && *text) {
			struct nic *nic = &d->nics[d->nb_nics++];

			*nic = (struct nic){.node = atoi(text)};
			snprintf(nic->name, sizeof nic->name, "%.20s", address);
		}
	} else if (!strcmp(driver, "igb_uio") || !strcmp(driver, "uio_pci_generic")) {
		(*found)++;
		report(d, WARN, "nic",
			"dpdk-devbind.py --bind=vfio-pci: with an IOMMU it cannot write where it "
			"likes",
			"%.20s (%s): it is DPDK's, but needs root and writes to any memory",
			address, driver);
	} else if (!*driver) {
		report(d, WARN, "nic", "modprobe its driver, or systemctl start prtip-bind@ADDRESS",
			"%.20s: a network device without a driver", address);
	}
}

static void look_at_nics(struct doctor *d) {
	unsigned taken = 0;

	each_entry(d, "/sys/class/net", look_at_interface, NULL);
	each_entry(d, "/sys/bus/pci/devices", look_at_pci, &taken);
	if (!d->nb_nics && !taken)
		report(d, BAD, "nic", "add one, or try port = sim", "there is no network device");
}

static void look_at_drivers(struct doctor *d) {
	static const char *const needed[][2] = {{"mempool", "ring"}, {"net", "af_packet"},
		{"net", "af_xdp"}, {"net", "ring"}, {"bus", "pci"}, {"bus", "vdev"}};
	char missing[TEXT_BYTES] = "";

	for (unsigned i = 0; i < sizeof needed / sizeof *needed; i++) {
		const size_t used = strlen(missing);

		if (!has_pmd(d, needed[i][0], needed[i][1]))
			snprintf(missing + used, sizeof missing - used, "%s%s_%s", used ? ", " : "",
				needed[i][0], needed[i][1]);
	}
	report(d, *missing ? BAD : OK, "drivers",
		"apt-get install librte-meta-net librte-meta-bus librte-meta-mempool",
		*missing ? "DPDK's drivers %s are not installed" : "DPDK's drivers are installed%s",
		missing);
}

/* ---- Who else has a NIC ---- */

struct holders {
	const char *pid;
	const char *packet; /* text of /proc/net/packet */
	bool vfio, socket;
};

/* Whether @inode is a packet socket that is bound to a device. */
static bool is_packet_socket(const char *packet, const char *inode) {
	for (const char *line = strchr(packet, '\n'); line; line = strchr(line + 1, '\n')) {
		char found[32];
		int device;

		if (sscanf(line + 1, "%*s %*s %*s %*s %d %*s %*s %*s %31s", &device, found) == 2
			&& device > 0 && !strcmp(found, inode))
			return true;
	}
	return false;
}

static void look_at_descriptor(struct doctor *d, const char *fd, void *user) {
	struct holders *holders = user;
	char path[PATH_MAX], target[256], inode[32];
	ssize_t n;

	snprintf(path, sizeof path, "%s/proc/%s/fd/%s", d->root, holders->pid, fd);
	n = readlink(path, target, sizeof target - 1);
	target[n < 0 ? 0 : n] = '\0';
	if (!strncmp(target, "/dev/vfio/", 10) && isdigit((unsigned char)target[10]))
		holders->vfio = true;
	if (sscanf(target, "socket:[%31[0-9]]", inode) == 1
		&& is_packet_socket(holders->packet, inode))
		holders->socket = true;
}

static void look_at_process(struct doctor *d, const char *pid, void *user) {
	struct holders holders = {.pid = pid, .packet = user};
	char folder[96], name[64];

	if (!isdigit((unsigned char)*pid))
		return;
	snprintf(folder, sizeof folder, "/proc/%.20s/fd", pid);
	each_entry(d, folder, look_at_descriptor, &holders);
	if (!holders.vfio && !holders.socket)
		return;
	read_text(d, name, sizeof name, "/proc/%.20s/comm", pid);
	report(d, WARN, "holder",
		holders.vfio ? "end it before a scan takes that device"
			     : "end it where it slows the scan down: it gets a copy of each frame",
		"process %.20s (%s) has %s", pid, name,
		holders.vfio ? "a device of VFIO open" : "a packet socket on an interface");
}

static void look_at_holders(struct doctor *d) {
	char packet[FILE_BYTES];

	read_text(d, packet, sizeof packet, "/proc/net/packet");
	each_entry(d, "/proc", look_at_process, packet);
}

/* ---- Kernel, rights, limits ---- */

static void look_at_kernel(struct doctor *d) {
	char release[128], text[FILE_BYTES];
	unsigned major = 0, minor = 0;

	read_text(d, release, sizeof release, "/proc/sys/kernel/osrelease");
	sscanf(release, "%u.%u", &major, &minor);
	report(d, major > 5 || (major == 5 && minor >= 10) ? OK : WARN, "kernel",
		"use Debian 12's, 6.1, or a later one", "kernel %s%s",
		*release ? release : "unknown",
		major > 5 || (major == 5 && minor >= 10) ? "" : ": af_xdp wants 5.10 or later");
	read_text(d, text, sizeof text, "/proc/net/protocols");
	report(d, strstr(text, "\nXDP ") ? OK : WARN, "xdp",
		"use a kernel with CONFIG_XDP_SOCKETS; port = auto takes af_packet meanwhile",
		strstr(text, "\nXDP ") ? "the kernel has XDP sockets"
				       : "the kernel has no XDP sockets");
	report(d, exists(d, "/sys/kernel/btf/vmlinux") ? OK : WARN, "btf",
		"use a kernel with CONFIG_DEBUG_INFO_BTF",
		exists(d, "/sys/kernel/btf/vmlinux") ? "the kernel describes itself (BTF)"
						     : "the kernel does not describe itself (BTF): "
						       "tools cannot look into XDP programs");
	read_text(d, text, sizeof text, "/proc/sys/kernel/seccomp/actions_avail");
	report(d, has_word(text, "kill_process") ? OK : BAD, "seccomp",
		"use a kernel with CONFIG_SECCOMP_FILTER",
		has_word(text, "kill_process") ? "seccomp filters plugins' system calls"
					       : "no seccomp: plugins do not start");
	read_text(d, text, sizeof text, "/sys/kernel/security/lsm");
	if (*text)
		report(d, has_word(text, "landlock") ? OK : WARN, "landlock",
			"kernel command line: lsm=landlock,... with those that are there",
			has_word(text, "landlock")
				? "Landlock keeps scan and plugins from writing files"
				: "no Landlock: only file permissions keep a scan "
				  "from writing files");
	else
		report(d, WARN, "landlock", "mount -t securityfs securityfs /sys/kernel/security",
			"whether there is Landlock cannot be seen here");
}

static void look_at_rights(struct doctor *d) {
	static const struct {
		unsigned bit;
		const char *name;
	} needed[] = {{CAP_NET_RAW, "NET_RAW"}, {CAP_NET_ADMIN, "NET_ADMIN"}, {CAP_BPF, "BPF"},
		{CAP_PERFMON, "PERFMON"}, {CAP_IPC_LOCK, "IPC_LOCK"}};
	char text[8192], missing[128] = "", limit[64] = "";
	const char *at;
	uint64_t have;

	read_text(d, text, sizeof text, "/proc/self/status");
	have = number_of(text, "\nCapEff:", 16);
	for (unsigned i = 0; i < sizeof needed / sizeof *needed; i++) {
		const size_t used = strlen(missing);

		if (!(have >> needed[i].bit & 1))
			snprintf(missing + used, sizeof missing - used, "%sCAP_%s",
				used ? ", " : "", needed[i].name);
	}
	report(d, *missing ? BAD : OK, "capabilities",
		"run as root, or as a unit (systemctl start prtip-dp@NAME), which gives them",
		*missing ? "%s: missing, which ports of the kernel need"
			 : "the capabilities that ports need are there%s",
		missing);

	read_text(d, text, sizeof text, "/proc/self/limits");
	at = strstr(text, "Max locked memory");
	if (at)
		sscanf(at + strlen("Max locked memory"), "%63s", limit);
	if (!strcmp(limit, "unlimited") || (have >> CAP_IPC_LOCK & 1)
		|| strtoull(limit, NULL, 10) >= (uint64_t)LEAST_LOCKED_MB << 20)
		report(d, OK, "memlock", "", "packet memory may be locked");
	else
		report(d, BAD, "memlock",
			"LimitMEMLOCK=infinity in the unit, or ulimit -l unlimited",
			"only %s bytes may be locked: packet memory needs more",
			*limit ? limit : "0");
	at = strstr(text, "Max open files");
	*limit = '\0';
	if (at)
		sscanf(at + strlen("Max open files"), "%63s", limit);
	report(d,
		strtoull(limit, NULL, 10) >= LEAST_FILES || !strcmp(limit, "unlimited") ? OK : WARN,
		"nofile", "LimitNOFILE=65536 in the unit, or ulimit -n 65536",
		"%s files may be open", *limit ? limit : "0");
}

int doctor(const char *root, bool json, FILE *out, unsigned *nb_bad) {
	struct doctor *d = calloc(1, sizeof *d);

	if (!d)
		return -ENOMEM;
	*d = (struct doctor){
		.root = root ? root : "", .out = out, .as_json = json, .json = {.out = out}};
	look_at_cpu(d);
	look_at_governors(d);
	look_at_clock(d);
	look_at_nics(d);
	look_at_drivers(d);
	look_at_iommu(d);
	look_at_memory(d);
	look_at_holders(d);
	look_at_kernel(d);
	look_at_rights(d);
	if (json)
		fputs("]\n", out);
	*nb_bad = d->nb_bad;
	free(d);
	return ferror(out) ? -EIO : 0;
}
