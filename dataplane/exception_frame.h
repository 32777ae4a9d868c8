/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which frames travel between a port and the TAP that carries the plugins' address, and what has to
 * be done to them on the way. IPv4; on the port's side of a VLAN's frames, on the TAP's without a tag.
 * Pure and bounds-checked: no state, no DPDK, any bytes.
 */
#ifndef EXCEPTION_FRAME_H
#define EXCEPTION_FRAME_H

#include <dp/ip.h>

/*
 * How many bytes of tag are in a received frame of VLAN @vlan (0: untagged): 0 or VLAN_BYTES. Negative
 * where it is another VLAN's. The functions below take frames without a tag, but look at no hardware
 * address of received ones, so that what begins as many bytes later will do for them.
 */
int exception_frame_tag_bytes(const uint8_t *frame, unsigned length, uint16_t vlan);

/* Take off a tag that is there, in place; returns where the frame begins then. */
uint8_t *exception_frame_untag(uint8_t *frame, unsigned *length);

/*
 * Put a tag into the @length bytes that begin VLAN_BYTES behind @frame, where @vlan is not 0, and else
 * move them there; returns the length then.
 */
unsigned exception_frame_tag(uint8_t *frame, unsigned length, uint16_t vlan);

/*
 * Is this received frame for the kernel that holds @ip on the TAP? IPv4 to it, and ARP
 * that asks for it or answers it. Not the first packet of somebody else's connection: plugins only
 * call out, and the machine's own services, which listen on every address, are not for the line.
 */
bool exception_frame_arrives(const uint8_t *frame, unsigned length, dp_ip ip);

/* May this frame of the TAP's leave by the port? Unicast IPv4 from @ip, and ARP in its name. */
bool exception_frame_leaves(const uint8_t *frame, unsigned length, dp_ip ip);

/*
 * Write the TCP or UDP checksum of a frame whose sender left it to a device: veth and lo hand such
 * over with the sum of the pseudo-header in its place. All others stay as they are.
 */
void exception_frame_complete(uint8_t *frame, unsigned length);

#endif
