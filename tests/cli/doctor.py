#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""--doctor on trees that stand for /proc and /sys of an appliance, a laptop, a virtual machine and a machine that
cannot scan, and on this one."""

import json
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from tap import Tap  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("PRTIP_DP", os.path.join(TOP, "build", "prtip-dp"))
NEEDED = 1 << 13 | 1 << 12 | 1 << 39 | 1 << 38 | 1 << 14

LIMITS = """Limit                     Soft Limit           Hard Limit           Units
Max open files            {nofile:<20} 1048576              files
Max locked memory         {memlock:<20} {memlock:<20} bytes
"""
PACKET = """sk               RefCnt Type Proto  Iface R Rmem   User   Inode
0000000000000000 3      3    0003   2     1 0      0      4242
0000000000000000 3      3    0003   0     1 0      0      4343
"""

# What all of them have; a value of None is a folder, "-> X" a link.
COMMON = {
    "proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu tsc constant_tsc nonstop_tsc\n",
    "proc/cmdline": "root=/dev/sda1 quiet\n",
    "proc/net/packet": PACKET.splitlines()[0] + "\n",
    "proc/net/protocols": "protocol  size sockets\nXDP       1088      0\nTCP       2000      3\n",
    "proc/self/status": f"Name:\tprtip-dp\nCapInh:\t0000000000000000\nCapEff:\t{NEEDED:016x}\n",
    "proc/self/limits": LIMITS.format(nofile=65536, memlock="unlimited"),
    "proc/sys/kernel/osrelease": "6.1.0-18-amd64\n",
    "proc/sys/kernel/seccomp/actions_avail": "kill_process kill_thread errno log allow\n",
    "sys/kernel/btf/vmlinux": "",
    "sys/kernel/security/lsm": "lockdown,capability,landlock,yama,apparmor",
    "sys/devices/system/cpu/online": "0-15\n",
    "sys/devices/system/cpu/isolated": "\n",
    "sys/devices/system/cpu/nohz_full": "(null)\n",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
    "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "0\n",
    "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages": "0\n",
    "sys/class/iommu": None,
    "sys/bus/pci/devices": None,
} | {
    f"usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0/librte_{name}.so.23": ""
    for name in ("mempool_ring", "net_ring", "net_af_packet", "net_af_xdp", "bus_pci", "bus_vdev", "net_ice", "net_e1000")
}


def interface(name, driver, queues, carrier="1", pci="0000:00:19.0", node=None):
    device = f"sys/devices/pci0000:00/{pci}"
    tree = {
        f"{device}/driver": f"-> ../../../bus/pci/drivers/{driver}",
        f"{device}/class": "0x020000\n",
        f"sys/bus/pci/devices/{pci}": f"-> ../../../../{device}",
        f"sys/class/net/{name}/device": f"-> ../../../../{device}",
        f"sys/class/net/{name}/carrier": carrier + "\n",
    }
    if node is not None:
        tree[f"{device}/numa_node"] = f"{node}\n"
    return tree | {f"sys/class/net/{name}/queues/rx-{i}": None for i in range(queues)}


LOOPBACK = {"sys/class/net/lo/queues/rx-0": None}

APPLIANCE = COMMON | LOOPBACK | interface("ens3f0", "ice", 64, pci="0000:3b:00.0", node=1) | {
    "sys/bus/pci/devices/0000:3b:00.1/class": "0x020000\n",
    "sys/bus/pci/devices/0000:3b:00.1/numa_node": "1\n",
    "sys/bus/pci/devices/0000:3b:00.1/driver": "-> ../../drivers/vfio-pci",
    "sys/bus/pci/devices/0000:00:1f.0/class": "0x060100\n",
    "sys/devices/system/cpu/isolated": "2-15\n",
    "sys/devices/system/cpu/nohz_full": "2-15\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n",
    "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "performance\n",
    "sys/class/iommu/dmar0": None,
    "proc/cmdline": "intel_iommu=on iommu=pt isolcpus=2-15 nohz_full=2-15\n",
    "sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages": "8\n",
    "sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages": "8\n",
    "sys/devices/system/node/node1/hugepages/hugepages-1048576kB/nr_hugepages": "8\n",
}
LAPTOP = COMMON | LOOPBACK | interface("enp0s25", "e1000e", 1, carrier="0") | {
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
    "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "performance\n",
    "proc/net/packet": PACKET,
    "proc/812/fd/3": "-> socket:[4242]",
    "proc/812/comm": "wpa_sup\x1b[31m\n",
    "proc/900/fd/3": "-> socket:[4343]",
    "proc/900/comm": "unbound\n",
    "proc/self/status": "CapEff:\t0000000000000000\n",
    "proc/self/limits": LIMITS.format(nofile=512, memlock=8388608),
}
VIRTUAL = COMMON | LOOPBACK | interface("eth0", "virtio_net", 2, pci="virtio0") | {
    "proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu tsc hypervisor\n",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "kvm-clock\n",
    "proc/4711/fd/9": "-> /dev/vfio/17",
    "proc/4711/fd/8": "-> /dev/vfio/vfio",
    "proc/4711/comm": "testpmd\n",
}
BROKEN = {k: v for k, v in (COMMON | LOOPBACK).items() if "librte_net_af" not in k} | {
    "proc/cpuinfo": "",
    "proc/net/protocols": "protocol\n",
    "proc/sys/kernel/osrelease": "5.4.0\n",
    "proc/sys/kernel/seccomp/actions_avail": "",
    "sys/kernel/security/lsm": "capability,yama",
    "sys/bus/pci/devices/0000:01:00.0/class": "0x020000\n",
}

# What has to be said: check and verdict, in this order.
WANTED = {
    "appliance": (APPLIANCE, 0, "tsc ok, isolation ok, governor ok, clock ok, nic ok, nic ok, drivers ok, iommu ok,"
                  " hugepages ok, numa ok, numa ok, kernel ok, xdp ok, btf ok, seccomp ok, landlock ok,"
                  " capabilities ok, memlock ok, nofile ok"),
    "laptop": (LAPTOP, 1, "tsc ok, isolation warn, governor warn, clock ok, link warn, nic warn, drivers ok,"
               " iommu warn, hugepages warn, holder warn, kernel ok, xdp ok, btf ok, seccomp ok, landlock ok,"
               " capabilities bad, memlock bad, nofile warn"),
    "virtual": (VIRTUAL, 0, "machine warn, tsc warn, isolation warn, governor ok, clock warn, nic ok, drivers ok,"
                " iommu warn, hugepages warn, holder warn, kernel ok, xdp ok, btf ok, seccomp ok, landlock ok,"
                " capabilities ok, memlock ok, nofile ok"),
    "broken": (BROKEN, 1, "tsc warn, isolation warn, governor ok, clock ok, nic warn, nic bad, drivers bad,"
               " iommu warn, hugepages warn, kernel warn, xdp warn, btf ok, seccomp bad, landlock warn,"
               " capabilities ok, memlock ok, nofile ok"),
}  # fmt: skip
WORDS = {
    "appliance": ("ens3f0 (ice): 64 queues, af_xdp with native XDP without copies", "port = 0000:3b:00.1",
                  "CPUs 2-15 are isolated, without a tick", "8 of 8 of 1 GiB free", "passthrough"),
    "laptop": ("enp0s25: there is no link -- ip link set enp0s25 up", "process 812 (wpa_sup?[31m) has a packet socket",
               "governor powersave on 1 of 2 CPUs", "CAP_NET_RAW, CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON, CAP_IPC_LOCK"),
    "virtual": ("process 4711 (testpmd) has a device of VFIO open", "eth0 (virtio_net): 2 queues", "kvm-clock"),
    "broken": ("net_af_packet, net_af_xdp are not installed -- apt-get install librte-meta-net",
               "0000:01:00.0: a network device without a driver"),
}  # fmt: skip


def plant(root, tree):
    for path, content in tree.items():
        path = os.path.join(root, path)
        if content is None:
            os.makedirs(path, exist_ok=True)
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if content.startswith("-> "):
            os.symlink(content[3:], path)
        else:
            with open(path, "w", encoding="latin-1") as file:
                file.write(content)


def doctor(root, *arguments):
    environment = dict(os.environ)
    if root:
        environment["PRTIP_DOCTOR_ROOT"] = root
    return subprocess.run([PROGRAM, "--doctor", *arguments], capture_output=True, text=True, check=False, env=environment)


def check_form(tap, name, done, found):
    lines = done.stdout.splitlines()
    tap.check(all(len(line) <= 80 for line in lines), f"{name}: fits 80 columns", [l for l in lines if len(l) > 80])
    tap.check(all(line[:6] in ("ok    ", "warn  ", "bad   ", " " * 6) for line in lines), f"{name}: a verdict begins each finding", done.stdout)
    begins = [line.split()[0] for line in lines if line[0] != " "]
    tap.check(begins == [f["verdict"] for f in found], f"{name}: the same as JSON", f"{begins}\n{found}")
    tap.check(all((f["change"] is None) == (f["verdict"] == "ok") for f in found), f"{name}: what is not ok comes with what to change")
    text = " ".join(line.strip() for line in lines)
    tap.check(text.count(" -- ") == sum(f["verdict"] != "ok" for f in found), f"{name}: in the lines, too", done.stdout)
    tap.check(not done.stderr, f"{name}: nothing else is said", done.stderr)
    return text


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="pdp-doctor.") as folder:
        for name, (tree, status, wanted) in WANTED.items():
            root = os.path.join(folder, name)
            plant(root, tree)
            done = doctor(root)
            found = json.loads(doctor(root, "--json").stdout)
            said = ", ".join(f"{f['check']} {f['verdict']}" for f in found)
            tap.check(said == wanted, f"{name}: findings", f"{said}\n{wanted}")
            tap.check(done.returncode == status, f"{name}: exit status {status}", done.returncode)
            text = check_form(tap, name, done, found)
            for words in WORDS[name]:
                tap.check(words in text, f"{name}: {words}", done.stdout)
        os.makedirs(os.path.join(folder, "nothing"))
        done = doctor(os.path.join(folder, "nothing"))
        tap.check(done.returncode == 1 and "there is no network device" in done.stdout, "an empty tree is no machine", done.stdout)
    done = doctor(None)
    found = json.loads(doctor(None, "--json").stdout)
    check_form(tap, "this machine", done, found)
    bad = any(f["verdict"] == "bad" for f in found)
    tap.check(done.returncode == (1 if bad else 0), "this machine: exit status", done.stdout)
    with open("/proc/sys/kernel/osrelease", encoding="ascii") as file:
        tap.check("kernel " + file.read().strip() in done.stdout, "this machine: its kernel")
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([PROGRAM, "--doctor"], stdout=full, stderr=subprocess.PIPE, check=False)
    tap.check(done.returncode == 1 and b"standard output" in done.stderr, "a full disk is said", done.stderr)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
