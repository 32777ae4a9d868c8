/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The UDP payloads that are built in. Constant data; the book looks into it once.
 *
 * Each was written from the specification that its comment names. Where there is a choice it is the
 * request with the smallest reply, so that a scan is no use as an amplifier, and one that changes
 * nothing on the server. Zeros stand where a token is written.
 *
 * Each payload of a port costs a transmission; so only SNMP has three, as agents speak some
 * versions and not others, and IKE and IPMI have two.
 *
 * A TFTP server answers from a port of its own choice (RFC 1350 4), so that most of its replies
 * belong to no probe; some embedded ones do answer from port 69.
 */
#include <dp/payload.h>

#include <assert.h>

enum {
	QUIC_BYTES = 1200, /* RFC 9000 14.1 */
};

static_assert((int)QUIC_BYTES <= (int)DP_PAYLOAD_MAX_BYTES);

/* One field of a datagram a line. */
/* clang-format off */

/*
 * DNS, RFC 1035 4.1; version.bind by RFC 4892 3. Servers answer it themselves, whatever they
 * resolve.
 */
static const char dns[] =
	"\x00\x00" /* id */
	"\x00\x00" /* a query, no recursion */
	"\x00\x01\x00\x00\x00\x00\x00\x00" /* one question */
	"\x07" "version" "\x04" "bind" "\x00" /* version.bind */
	"\x00\x10\x00\x03"; /* TXT, CHAOS */

/* Multicast DNS, RFC 6762 5.4 and 6.7: to a port other than 5353 the id is repeated. */
static const char mdns[] =
	"\x00\x00" /* id */
	"\x00\x00" /* a query */
	"\x00\x01\x00\x00\x00\x00\x00\x00" /* one question */
	"\x09" "_services" "\x07" "_dns-sd" "\x04" "_udp" "\x05" "local" "\x00" /* RFC 6763 9 */
	"\x00\x0c\x80\x01"; /* PTR, IN, unicast response wanted */

/* NetBIOS name service, node status request, RFC 1002 4.2.17. */
static const char nbstat[] =
	"\x00\x00" /* NAME_TRN_ID */
	"\x00\x00" /* a query */
	"\x00\x01\x00\x00\x00\x00\x00\x00" /* one question */
	"\x20" "CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" "\x00" /* the name *, RFC 1001 14.1 */
	"\x00\x21\x00\x01"; /* NBSTAT, IN */

/* NTP version 4, client, RFC 5905 7.3. */
static const char ntp[] =
	"\x23" /* no leap warning, version 4, client */
	"\x00\x06\xec" /* stratum, poll, precision */
	/* delays, reference, origin and receive timestamps */
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	"\x00\x00\x00\x00"
	"\x00\x00\x00\x00\x00\x00\x00\x00"; /* transmit timestamp: the reply's origin timestamp */

/*
 * SNMP version 1, RFC 1157 4.1.2. The topmost bits of the request-id are fixed, so that it stays
 * a number of four bytes when it is encoded again (X.690 8.3.2).
 */
static const char snmp_v1[] =
	"\x30\x29"
	"\x02\x01\x00" /* version 1 */
	"\x04\x06" "public" /* community */
	"\xa0\x1c" /* GetRequest-PDU */
	"\x02\x04"
	"\x40\x00\x00\x00" /* request-id */
	"\x02\x01\x00\x02\x01\x00" /* no error */
	"\x30\x0e\x30\x0c"
	"\x06\x08\x2b\x06\x01\x02\x01\x01\x01\x00" /* sysDescr.0 */
	"\x05\x00"; /* NULL */

/* SNMP version 2c, RFC 1901 and RFC 3416 4.2.1. */
static const char snmp_v2c[] =
	"\x30\x29"
	"\x02\x01\x01" /* version 2c */
	"\x04\x06" "public" /* community */
	"\xa0\x1c" /* GetRequest-PDU */
	"\x02\x04"
	"\x40\x00\x00\x00" /* request-id */
	"\x02\x01\x00\x02\x01\x00" /* no error */
	"\x30\x0e\x30\x0c"
	"\x06\x08\x2b\x06\x01\x02\x01\x01\x01\x00" /* sysDescr.0 */
	"\x05\x00"; /* NULL */

/*
 * SNMP version 3, discovery of the engine, RFC 3414 4 and RFC 3412 6: a report of some 100 bytes.
 */
static const char snmp_v3[] =
	"\x30\x3e"
	"\x02\x01\x03" /* version 3 */
	"\x30\x11"
	"\x02\x04"
	"\x40\x00\x00\x00" /* msgID */
	"\x02\x03\x00\xff\xe3" /* msgMaxSize 65,507 */
	"\x04\x01\x04" /* reportable, neither authenticated nor private */
	"\x02\x01\x03" /* user-based security model */
	"\x04\x10\x30\x0e\x04\x00\x02\x01\x00\x02\x01\x00\x04\x00\x04\x00" /* no engine, no user */
	"\x04\x00"
	"\x30\x14\x04\x00\x04\x00" /* scoped PDU, no context */
	/* GetRequest-PDU without a variable */
	"\xa0\x0e\x02\x04\x40\x00\x00\x01\x02\x01\x00\x02\x01\x00\x30\x00";

/*
 * IKE version 2, IKE_SA_INIT, RFC 7296 1.2 and 3. A responder that wants another group, or none
 * of these algorithms, says so in a few bytes.
 */
static const char ike_v2[] =
	"\x00\x00\x00\x00\x00\x00\x00\x00" /* initiator's SPI */
	"\x00\x00\x00\x00\x00\x00\x00\x00" /* responder's SPI */
	"\x21\x20\x22\x08" /* SA next, version 2.0, IKE_SA_INIT, initiator */
	"\x00\x00\x00\x00" /* message 0 */
	"\x00\x00\x00\xbc" /* length */
	"\x22\x00\x00\x64" /* SA, then KE */
	"\x00\x00\x00\x60\x01\x01\x00\x0a" /* proposal 1: IKE */
	"\x03\x00\x00\x0c\x01\x00\x00\x0c\x80\x0e\x01\x00" /* ENCR_AES_CBC, 256 bits */
	"\x03\x00\x00\x0c\x01\x00\x00\x0c\x80\x0e\x00\x80" /* ENCR_AES_CBC, 128 bits */
	"\x03\x00\x00\x08\x02\x00\x00\x05" /* PRF_HMAC_SHA2_256 */
	"\x03\x00\x00\x08\x02\x00\x00\x02" /* PRF_HMAC_SHA1 */
	"\x03\x00\x00\x08\x03\x00\x00\x0c" /* AUTH_HMAC_SHA2_256_128 */
	"\x03\x00\x00\x08\x03\x00\x00\x02" /* AUTH_HMAC_SHA1_96 */
	"\x03\x00\x00\x08\x04\x00\x00\x1f" /* Curve25519 */
	"\x03\x00\x00\x08\x04\x00\x00\x13" /* 256-bit random ECP group */
	"\x03\x00\x00\x08\x04\x00\x00\x0e" /* 2048-bit MODP group */
	"\x00\x00\x00\x08\x04\x00\x00\x02" /* 1024-bit MODP group */
	"\x28\x00\x00\x28\x00\x1f\x00\x00" /* KE of Curve25519, then nonce */
	"\x5d\x0b\x01\x5f\x5b\xc3\xa3\x44\x13\x58\x2c\x6d\x83\xb9\xb6\x7d"
	"\x68\x58\x35\xb6\x75\x52\x53\xa2\xf3\x4f\xc0\xc2\xa0\xaf\xec\x32"
	"\x00\x00\x00\x14" /* nonce */
	"\x03\x11\x03\x84\xdd\xbe\xd4\xe7\xc5\x87\x17\x3e\x58\x84\x4b\xfc";

/* The same on port 4500, behind the non-ESP marker of RFC 3948 2.2. */
static const char ike_v2_nat[] =
	"\x00\x00\x00\x00" /* non-ESP marker */
	"\x00\x00\x00\x00\x00\x00\x00\x00" /* initiator's SPI */
	"\x00\x00\x00\x00\x00\x00\x00\x00" /* responder's SPI */
	"\x21\x20\x22\x08" /* SA next, version 2.0, IKE_SA_INIT, initiator */
	"\x00\x00\x00\x00" /* message 0 */
	"\x00\x00\x00\xbc" /* length */
	"\x22\x00\x00\x64" /* SA, then KE */
	"\x00\x00\x00\x60\x01\x01\x00\x0a" /* proposal 1: IKE */
	"\x03\x00\x00\x0c\x01\x00\x00\x0c\x80\x0e\x01\x00" /* ENCR_AES_CBC, 256 bits */
	"\x03\x00\x00\x0c\x01\x00\x00\x0c\x80\x0e\x00\x80" /* ENCR_AES_CBC, 128 bits */
	"\x03\x00\x00\x08\x02\x00\x00\x05" /* PRF_HMAC_SHA2_256 */
	"\x03\x00\x00\x08\x02\x00\x00\x02" /* PRF_HMAC_SHA1 */
	"\x03\x00\x00\x08\x03\x00\x00\x0c" /* AUTH_HMAC_SHA2_256_128 */
	"\x03\x00\x00\x08\x03\x00\x00\x02" /* AUTH_HMAC_SHA1_96 */
	"\x03\x00\x00\x08\x04\x00\x00\x1f" /* Curve25519 */
	"\x03\x00\x00\x08\x04\x00\x00\x13" /* 256-bit random ECP group */
	"\x03\x00\x00\x08\x04\x00\x00\x0e" /* 2048-bit MODP group */
	"\x00\x00\x00\x08\x04\x00\x00\x02" /* 1024-bit MODP group */
	"\x28\x00\x00\x28\x00\x1f\x00\x00" /* KE of Curve25519, then nonce */
	"\x5d\x0b\x01\x5f\x5b\xc3\xa3\x44\x13\x58\x2c\x6d\x83\xb9\xb6\x7d"
	"\x68\x58\x35\xb6\x75\x52\x53\xa2\xf3\x4f\xc0\xc2\xa0\xaf\xec\x32"
	"\x00\x00\x00\x14" /* nonce */
	"\x03\x11\x03\x84\xdd\xbe\xd4\xe7\xc5\x87\x17\x3e\x58\x84\x4b\xfc";

/* IKE version 1, main mode, RFC 2408 3 and RFC 2409 5. */
static const char ike_v1[] =
	"\x00\x00\x00\x00\x00\x00\x00\x00" /* initiator's cookie */
	"\x00\x00\x00\x00\x00\x00\x00\x00" /* responder's cookie */
	"\x01\x10\x02\x00" /* SA next, version 1.0, main mode */
	"\x00\x00\x00\x00" /* message 0 */
	"\x00\x00\x00\xbc" /* length */
	"\x00\x00\x00\xa0\x00\x00\x00\x01\x00\x00\x00\x01" /* SA: IPsec DOI, identity only */
	"\x00\x00\x00\x94\x01\x01\x00\x04" /* proposal 1: ISAKMP */
	/* AES-256, SHA2-256, pre-shared key, group 14 */
	"\x03\x00\x00\x24\x01\x01\x00\x00\x80\x01\x00\x07\x80\x0e\x01\x00"
	"\x80\x02\x00\x04\x80\x03\x00\x01\x80\x04\x00\x0e\x80\x0b\x00\x01"
	"\x80\x0c\x70\x80"
	/* AES-128, SHA-1, pre-shared key, group 2 */
	"\x03\x00\x00\x24\x02\x01\x00\x00\x80\x01\x00\x07\x80\x0e\x00\x80"
	"\x80\x02\x00\x02\x80\x03\x00\x01\x80\x04\x00\x02\x80\x0b\x00\x01"
	"\x80\x0c\x70\x80"
	/* 3DES, SHA-1, pre-shared key, group 2 */
	"\x03\x00\x00\x20\x03\x01\x00\x00\x80\x01\x00\x05\x80\x02\x00\x02"
	"\x80\x03\x00\x01\x80\x04\x00\x02\x80\x0b\x00\x01\x80\x0c\x70\x80"
	/* AES-256, SHA-1, RSA signatures, group 14 */
	"\x00\x00\x00\x24\x04\x01\x00\x00\x80\x01\x00\x07\x80\x0e\x01\x00"
	"\x80\x02\x00\x02\x80\x03\x00\x03\x80\x04\x00\x0e\x80\x0b\x00\x01"
	"\x80\x0c\x70\x80";

/*
 * RADIUS Access-Request, RFC 2865 4.1. A server that knows us as a client rejects it; one that
 * does not is silent. Status-Server is no better there: it must be signed with the client's
 * secret (RFC 5997 3).
 */
static const char radius_access[] =
	"\x01" /* code */
	"\x00" /* identifier */
	"\x00\x34" /* length */
	/* request authenticator */
	"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f"
	"\x01\x07" "prtip" /* User-Name */
	/* User-Password, of no use */
	"\x02\x12\x0b\x30\x55\x7a\x9f\xc4\xe9\x0e\x33\x58\x7d\xa2\xc7\xec"
	"\x11\x36"
	"\x20\x07" "prtip"; /* NAS-Identifier */

/* RADIUS Status-Server, RFC 5997 4, to accounting ports: Access-Request has no place there. */
static const char radius_status[] =
	"\x0c" /* code */
	"\x00" /* identifier */
	"\x00\x26" /* length */
	/* request authenticator */
	"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f"
	/* Message-Authenticator */
	"\x50\x12\x07\x3c\x71\xa6\xdb\x10\x45\x7a\xaf\xe4\x19\x4e\x83\xb8"
	"\xed\x22";

/*
 * QUIC, RFC 9000 6 and 17.2.1: a server answers an unknown version of at least 1,200 bytes (14.1)
 * with those that it speaks, and keeps no state. The reply is far smaller than this.
 */
static const char quic[QUIC_BYTES + 1] =
	"\xc0" /* long header, fixed bit */
	"\x1a\x2a\x3a\x4a" /* a version that forces negotiation, RFC 9000 15 */
	"\x08" /* length of our destination connection ID */
	"\x00\x00\x00\x00\x00\x00\x00\x00" /* which comes back as the source's */
	"\x00" /* no source connection ID */
	/* As an Initial of version 1 goes on (17.2.2): no token, length; the rest is padding. */
	"\x00\x44\x9e";

/* CoAP, RFC 7252 3 and RFC 6690 4. Block2 keeps the reply short. */
static const char coap[] =
	"\x48" /* version 1, confirmable, 8 bytes of token */
	"\x01" /* GET */
	"\x70\x74" /* message ID */
	"\x00\x00\x00\x00\x00\x00\x00\x00" /* token */
	"\xbb" ".well-known" /* Uri-Path */
	"\x04" "core" /* Uri-Path */
	"\xc1\x02"; /* Block2: 64 bytes of it, RFC 7959 2.2 */

/* memcached, UDP frame of doc/protocol.txt. A version is a reply of some 20 bytes. */
static const char memcached[] =
	"\x00\x00" /* request ID */
	"\x00\x00\x00\x01\x00\x00" /* datagram 0 of 1, reserved */
	"version" "\r\n"; /* version */

/*
 * CLDAP, RFC 1798 and RFC 4511 4.5.1: two short attributes of the root DSE. A domain controller's
 * netlogon reply would need its domain's name.
 */
static const char cldap[] =
	"\x30\x4b"
	"\x02\x04"
	"\x40\x00\x00\x00" /* messageID */
	"\x63\x43" /* SearchRequest */
	"\x04\x00\x0a\x01\x00\x0a\x01\x00" /* the root, base object, aliases as they are */
	"\x02\x01\x00\x02\x01\x00\x01\x01\x00" /* no limits, values too */
	"\x87\x0b" "objectClass" /* objectClass is present */
	"\x30\x23"
	"\x04\x0b" "dnsHostName" /* dnsHostName */
	"\x04\x14" "supportedLDAPVersion"; /* supportedLDAPVersion */

/*
 * ONC RPC port mapper, RFC 5531 9 and RFC 1833 3. NULL's reply has 24 bytes; DUMP's could be many
 * times the call.
 */
static const char portmap[] =
	"\x00\x00\x00\x00" /* xid */
	"\x00\x00\x00\x00\x00\x00\x00\x02" /* call, RPC version 2 */
	"\x00\x01\x86\xa0" /* program 100000 */
	"\x00\x00\x00\x02" /* version 2 */
	"\x00\x00\x00\x00" /* procedure NULL */
	/* no credentials, no verifier */
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";

/* NFS version 3, NULL, RFC 1813 3.3.0. */
static const char nfs[] =
	"\x00\x00\x00\x00" /* xid */
	"\x00\x00\x00\x00\x00\x00\x00\x02" /* call, RPC version 2 */
	"\x00\x01\x86\xa3" /* program 100003 */
	"\x00\x00\x00\x03" /* version 3 */
	"\x00\x00\x00\x00" /* procedure NULL */
	/* no credentials, no verifier */
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";

/* XDMCP Query, X Display Manager Control Protocol 1.1, section 4. */
static const char xdmcp[] =
	"\x00\x01\x00\x02\x00\x01" /* version 1, Query, 1 byte */
	"\x00"; /* no authentication names */

/* STUN, RFC 8489 5. */
static const char stun[] =
	"\x00\x01\x00\x00" /* Binding request without attributes */
	"\x21\x12\xa4\x42" /* magic cookie */
	"\x00\x00\x00\x00\x00\x00\x00\x00" /* transaction ID: token */
	"prtp"; /* and its rest */

/*
 * IPMI 1.5, Get Channel Authentication Capabilities, IPMI 2.0 specification 13.6 and 22.13. Its
 * checksum leaves no room for a token.
 */
static const char ipmi[] =
	"\x06\x00\xff\x07" /* RMCP, no acknowledgement, IPMI */
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00" /* no authentication, sequence, session */
	"\x09" /* bytes of message */
	"\x20\x18\xc8" /* to the BMC, application request */
	"\x81\x00\x38" /* Get Channel Authentication Capabilities */
	"\x8e\x04" /* IPMI 2.0 data, this channel, administrator */
	"\xb5"; /* checksum */

/* RMCP Presence Ping, ASF 2.0 (DSP0136) 3.2.4.2, for controllers that speak it and not IPMI. */
static const char asf[] =
	"\x06\x00\xff\x06" /* RMCP, no acknowledgement, ASF */
	"\x00\x00\x11\xbe" /* ASF's enterprise number */
	"\x80" /* Presence Ping */
	"\x00" /* message tag, below 0xff */
	"\x00\x00"; /* no data */

/*
 * BACnet/IP, ReadProperty of the object name, ANSI/ASHRAE 135 annex J, 15.5 and 20.1.
 * Acknowledgement, error, reject and abort all have the invoke ID at the same place.
 */
static const char bacnet[] =
	"\x81\x0a\x00\x11" /* BACnet/IP, unicast, 17 bytes */
	"\x01\x04" /* network layer, a reply is expected */
	"\x00\x05" /* confirmed request, up to 1,476 bytes */
	"\x00" /* invoke ID */
	"\x0c" /* ReadProperty */
	"\x0c\x02\x3f\xff\xff" /* of whatever device this is */
	"\x19\x4d"; /* object-name */

/* SQL Server Resolution Protocol, [MC-SQLR] 2.2.1. */
static const char mssql_browser[] =
	"\x02"; /* CLNT_BCAST_EX */

/*
 * OpenVPN without tls-auth, openvpn-rfc: Wire Protocol 2.1. The server acknowledges behind its
 * own session ID, and names ours.
 */
static const char openvpn[] =
	"\x38" /* P_CONTROL_HARD_RESET_CLIENT_V2, key 0 */
	"\x00\x00\x00\x00\x00\x00\x00\x00" /* session ID */
	"\x00" /* nothing to acknowledge */
	"\x00\x00\x00\x00"; /* packet 0 */

/* L2TP Start-Control-Connection-Request, RFC 2661 6.1 and 4.4. */
static const char l2tp[] =
	"\xc8\x02\x00\x39" /* control message, version 2, length */
	"\x00\x00\x00\x00\x00\x00\x00\x00" /* no tunnel, no session, Ns and Nr 0 */
	"\x80\x08\x00\x00\x00\x00\x00\x01" /* Message Type: SCCRQ */
	"\x80\x08\x00\x00\x00\x02\x01\x00" /* Protocol Version 1.0 */
	"\x80\x0b\x00\x00\x00\x07" "prtip" /* Host Name */
	"\x80\x0a\x00\x00\x00\x03\x00\x00\x00\x03" /* Framing Capabilities: both */
	"\x80\x08\x00\x00\x00\x09" /* Assigned Tunnel ID: */
	"\x80\x00"; /* that the reply is sent to */

/*
 * Kerberos 5 AS-REQ, RFC 4120 5.4.1, for a realm that nobody has (RFC 2606 2): the KDC's error
 * names its own time, and repeats nothing of ours.
 */
static const char kerberos[] =
	"\x6a\x81\x8b\x30\x81\x88" /* AS-REQ */
	"\xa1\x03\x02\x01\x05" /* pvno 5 */
	"\xa2\x03\x02\x01\x0a" /* msg-type 10 */
	"\xa4\x7c\x30\x7a" /* req-body */
	"\xa0\x07\x03\x05\x00\x00\x00\x00\x00" /* no kdc-options */
	"\xa1\x12\x30\x10\xa0\x03\x02\x01\x01\xa1\x09\x30\x07\x1b\x05" "prtip" /* cname prtip */
	"\xa2\x0f\x1b\x0d" "PRTIP.INVALID" /* realm PRTIP.INVALID */
	/* sname krbtgt/PRTIP.INVALID */
	"\xa3\x22\x30\x20\xa0\x03\x02\x01\x02\xa1\x19\x30\x17\x1b\x06" "krbtgt"
	"\x1b\x0d" "PRTIP.INVALID"
	"\xa5\x11\x18\x0f" "20370101000000Z" /* till */
	"\xa7\x06\x02\x04\x40\x70\x72\x74" /* nonce */
	"\xa8\x0b\x30\x09\x02\x01\x12\x02\x01\x11\x02\x01\x17"; /* etype: AES, RC4 */

/*
 * DTLS 1.2 ClientHello, RFC 6347 4.2 and RFC 5246 7.4.1.2. A HelloVerifyRequest comes back, of
 * some 50 bytes and without state; what it could repeat, the record's number, not all servers do.
 */
static const char dtls[] =
	"\x16\xfe\xff\x00\x00" /* handshake, DTLS 1.0 at first, epoch 0 */
	"\x00\x00\x00\x00\x00\x00" /* record 0 */
	"\x00\x90"
	"\x01\x00\x00\x84\x00\x00\x00\x00\x00\x00\x00\x84" /* ClientHello, message 0, all of it */
	"\xfe\xfd" /* DTLS 1.2 */
	"\x0a\x3d\xf8\xb0\x06\x89\x04\xff\xba\x73\x6a\x39\xad\x76\xdf\xa8" /* random */
	"\x7a\xc3\xa1\x9d\x09\xcd\x79\xc9\x27\xc2\xdf\x5e\xe0\xbb\x17\x52"
	"\x00\x00" /* no session, no cookie */
	/* ciphers: AEAD, CBC, CCM, pre-shared key; RFC 5746 */
	"\x00\x2e\xc0\x2b\xc0\x2f\xc0\x2c\xc0\x30\xcc\xa9\xcc\xa8\xc0\x23"
	"\xc0\x27\xc0\x09\xc0\x13\xc0\x0a\xc0\x14\x00\x9c\x00\x9d\x00\x3c"
	"\x00\x2f\x00\x35\xc0\xae\xc0\xac\xc0\xa8\x00\xa8\x00\x8c\x00\xff"
	"\x01\x00" /* no compression */
	"\x00\x2c" /* extensions */
	"\x00\x0a\x00\x08\x00\x06\x00\x1d\x00\x17\x00\x18" /* groups x25519, P-256, P-384 */
	"\x00\x0b\x00\x02\x01\x00" /* uncompressed points */
	"\x00\x0d\x00\x12\x00\x10\x04\x03\x05\x03\x06\x03\x08\x04\x08\x05" /* signatures */
	"\x08\x06\x04\x01\x02\x01"
	"\x00\x17\x00\x00"; /* extended master secret */

/* Echo, RFC 862. */
static const char echo[] =
	"\x00\x00\x00\x00\x00\x00\x00\x00"; /* token */

/*
 * Daytime, quote of the day, character generator, time: RFC 867, 865, 864, 868. Any datagram will
 * do.
 */
static const char any[] =
	"\r\n";

/*
 * RIP version 2, RFC 2453 3.9.1: about one route, which comes back as it is but for the metric.
 */
static const char rip[] =
	"\x01\x02\x00\x00" /* request, version 2 */
	"\x00\x02\x00\x00" /* IPv4, no tag */
	"\x0a\x00\x00\x00" /* an address of 10.0.0.0/8 */
	"\xff\xff\xff\xff" /* its mask: a host */
	"\x00\x00\x00\x00" /* next hop */
	"\x00\x00\x00\x10"; /* metric 16 */

/* NAT-PMP, RFC 6886 3.2; a PCP server answers it too (RFC 6887 9). */
static const char nat_pmp[] =
	"\x00\x00"; /* version 0, external address */

/* RakNet unconnected ping, as Minecraft's Bedrock servers answer it. */
static const char raknet[] =
	"\x01" /* Unconnected Ping */
	"\x00\x00\x00\x00\x00\x00\x00\x00" /* time, which Pong repeats */
	"\x00\xff\xff\x00\xfe\xfe\xfe\xfe\xfd\xfd\xfd\xfd\x12\x34\x56\x78" /* magic */
	"\x00\x00\x00\x00" "prtp"; /* our GUID */

/*
 * Source engine server query A2S_INFO, Valve developer wiki; servers ask for a challenge first.
 */
static const char source[] =
	"\xff\xff\xff\xff" /* one packet */
	"TSource Engine Query" "\x00"; /* A2S_INFO */

/* Ubiquiti discovery. */
static const char ubiquiti[] =
	"\x01\x00\x00\x00"; /* version 1, discovery, no data */

/* BitTorrent DHT ping, BEP 5. */
static const char dht[] =
	"d1:ad2:id20:"
	"prtip-dp000000000000" /* our node ID */
	"e1:q4:ping1:t8:"
	"\x00\x00\x00\x00\x00\x00\x00\x00" /* transaction */
	"1:y1:qe";

/* EtherNet/IP ListIdentity, CIP volume 2, 2-4.2. */
static const char enip[] =
	"\x63\x00\x00\x00" /* ListIdentity, no data */
	"\x00\x00\x00\x00\x00\x00\x00\x00" /* session, status */
	"\x00\x00" /* answer at once */
	"\x00\x00\x00\x00\x00\x00" /* sender context */
	"\x00\x00\x00\x00"; /* options */

/* KNXnet/IP description request, ISO 22510 (EN 13321-2). */
static const char knx[] =
	"\x06\x10\x02\x03\x00\x0e" /* KNXnet/IP 1.0, description request, 14 bytes */
	"\x08\x01\x00\x00\x00\x00\x00\x00"; /* reply to where this comes from */

/* GTP version 1 Echo Request, 3GPP TS 29.060 7.2.1 and TS 29.281 7.2.1. */
static const char gtp[] =
	"\x32\x01\x00\x04" /* version 1 with sequence, Echo Request, 4 bytes */
	"\x00\x00\x00\x00" /* no tunnel */
	"\x00\x00" /* sequence number */
	"\x00\x00"; /* no N-PDU, no extension */

/* PFCP Heartbeat Request, 3GPP TS 29.244 7.4.2. */
static const char pfcp[] =
	"\x20\x01\x00\x0c" /* version 1, Heartbeat Request, 12 bytes */
	"\x00\x00\x00" /* sequence number */
	"\x00" /* spare */
	"\x00\x60\x00\x04\xe0\x00\x00\x00"; /* Recovery Time Stamp */

/*
 * SLP version 2 service request for agents, RFC 2608 8.1 and 11.2; about itself, as all services
 * would be a long reply.
 */
static const char slp[] =
	"\x02\x01\x00\x00\x36" /* version 2, SrvRqst, length */
	"\x00\x00\x00\x00\x00" /* no flags, no extension */
	"\x00\x00" /* XID */
	"\x00\x02\x65\x6e" /* language */
	"\x00\x00" /* no previous responders */
	"\x00\x15" "service:service-agent" /* service type */
	"\x00\x07" "default" /* scope */
	"\x00\x00\x00\x00"; /* no predicate, no SPI */

/* TFTP read request, RFC 1350 5; the error for a file that is not there is short. */
static const char tftp[] =
	"\x00\x01" /* RRQ */
	"prtip-dp.txt" "\x00" /* file */
	"octet" "\x00"; /* mode */

/*
 * SSDP search to one host, UPnP Device Architecture 1.1, 1.3.2. For root devices: `ssdp:all` would
 * bring a datagram for every service.
 */
static const char ssdp[] =
	"M-SEARCH * HTTP/1.1\r\n"
	"HOST: 239.255.255.250:1900\r\n"
	"MAN: \"ssdp:discover\"\r\n"
	"MX: 1\r\n"
	"ST: upnp:rootdevice\r\n"
	"\r\n";

/*
 * SIP OPTIONS, RFC 3261 11. Max-Forwards 0: who would pass it on answers himself (16.3). All
 * replies repeat the topmost Via (8.2.6.2), so the token is in its branch.
 */
#define SIP_HEAD                                                                                   \
	"OPTIONS sip:prtip.invalid SIP/2.0\r\n"                                                    \
	"Via: SIP/2.0/UDP prtip.invalid;rport;branch=z9hG4bK"
static const char sip[] =
	SIP_HEAD "0000000000000000\r\n"
	"Max-Forwards: 0\r\n"
	"From: <sip:prtip.invalid>;tag=1\r\n"
	"To: <sip:prtip.invalid>\r\n"
	"Call-ID: 1@prtip.invalid\r\n"
	"CSeq: 1 OPTIONS\r\n"
	"Contact: <sip:prtip.invalid>\r\n"
	"Accept: application/sdp\r\n"
	"Content-Length: 0\r\n"
	"\r\n";

/*
 * WS-Discovery Probe for any type, Web Services Dynamic Discovery (April 2005) 5.2; a ProbeMatch
 * has the MessageID in RelatesTo.
 */
#define WSD_HEAD                                                                                   \
	"<?xml version=\"1.0\"?>"                                                                  \
	"<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\""                          \
	" xmlns:a=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\""                            \
	" xmlns:d=\"http://schemas.xmlsoap.org/ws/2005/04/discovery\">"                            \
	"<s:Header>"                                                                               \
	"<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action>"               \
	"<a:MessageID>urn:uuid:70727469-7064-4000-8000-"
static const char ws_discovery[] =
	WSD_HEAD "000000000000</a:MessageID>"
	"<a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>"
	"</s:Header><s:Body><d:Probe/></s:Body></s:Envelope>";

/* id Tech 3 server information, where the challenge comes back; getstatus has a longer reply. */
#define QUAKE_HEAD "\xff\xff\xff\xff" "getinfo "
static const char quake[] =
	QUAKE_HEAD "00000000";

/* clang-format on */

#define PORTS(...)                                                                                 \
	.ports = (const uint16_t[]){__VA_ARGS__},                                                  \
	.nb_ports = sizeof((const uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t)
#define BYTES(array) .bytes = (const uint8_t *)(array), .length = sizeof(array) - 1

/* Where the token is, how many bytes it has, and where replies have it. */
#define BINARY(at, n, reply)                                                                       \
	.token = DP_TOKEN_BINARY, .token_at = (at), .token_bytes = (n), .reply_at = (reply)
#define HEX(at, n)                                                                                 \
	.token = DP_TOKEN_HEX, .token_at = (at), .token_bytes = (n), .reply_at = DP_TOKEN_ANYWHERE

static const struct dp_payload rows[] = {
	{"echo", PORTS(7), BYTES(echo), BINARY(0, 8, 0)},
	{"any", PORTS(13, 17, 19, 37), BYTES(any)},
	{"dns", PORTS(53), BYTES(dns), BINARY(0, 2, 0)},
	{"tftp", PORTS(69), BYTES(tftp)},
	{"kerberos", PORTS(88), BYTES(kerberos)},
	{"portmap", PORTS(111), BYTES(portmap), BINARY(0, 4, 0)},
	{"ntp", PORTS(123), BYTES(ntp), BINARY(40, 8, 24)},
	{"nbstat", PORTS(137), BYTES(nbstat), BINARY(0, 2, 0)},
	{"snmp-v2c", PORTS(161), BYTES(snmp_v2c), BINARY(17, 4, DP_TOKEN_ANYWHERE),
		.token_keep = 0xc0},
	{"snmp-v3", PORTS(161), BYTES(snmp_v3), BINARY(9, 4, DP_TOKEN_ANYWHERE),
		.token_keep = 0xc0},
	{"snmp-v1", PORTS(161), BYTES(snmp_v1), BINARY(17, 4, DP_TOKEN_ANYWHERE),
		.token_keep = 0xc0},
	{"xdmcp", PORTS(177), BYTES(xdmcp)},
	{"cldap", PORTS(389), BYTES(cldap), BINARY(4, 4, DP_TOKEN_ANYWHERE), .token_keep = 0xc0},
	{"slp", PORTS(427), BYTES(slp), BINARY(10, 2, 10)},
	{"quic", PORTS(443, 784, 853, 8443, 8853), BYTES(quic), BINARY(6, 8, 7)},
	{"ike-v2", PORTS(500), BYTES(ike_v2), BINARY(0, 8, 0)},
	{"ike-v1", PORTS(500), BYTES(ike_v1), BINARY(0, 8, 0)},
	{"rip", PORTS(520), BYTES(rip), BINARY(8, 4, 8), .token_keep = 0xff},
	{"ipmi", PORTS(623), BYTES(ipmi)},
	{"asf", PORTS(623), BYTES(asf), BINARY(9, 1, 9), .token_keep = 0x80},
	{"openvpn", PORTS(1194), BYTES(openvpn), BINARY(1, 8, DP_TOKEN_ANYWHERE)},
	{"mssql-browser", PORTS(1434), BYTES(mssql_browser)},
	{"radius-access", PORTS(1645, 1812), BYTES(radius_access), BINARY(1, 1, 1)},
	{"radius-status", PORTS(1646, 1813), BYTES(radius_status), BINARY(1, 1, 1)},
	{"l2tp", PORTS(1701), BYTES(l2tp), BINARY(sizeof(l2tp) - 3, 2, 4), .token_keep = 0x80},
	{"ssdp", PORTS(1900), BYTES(ssdp)},
	{"nfs", PORTS(2049), BYTES(nfs), BINARY(0, 4, 0)},
	{"gtp", PORTS(2123, 2152), BYTES(gtp), BINARY(8, 2, 8)},
	{"stun", PORTS(3478, 3479, 19302), BYTES(stun), BINARY(8, 8, 8)},
	{"knx", PORTS(3671), BYTES(knx)},
	{"ws-discovery", PORTS(3702), BYTES(ws_discovery), HEX(sizeof(WSD_HEAD) - 1, 6)},
	{"dtls", PORTS(3391, 4433, 5349, 5684, 6514, 10161), BYTES(dtls)},
	{"ike-v2-nat", PORTS(4500), BYTES(ike_v2_nat), BINARY(4, 8, 4)},
	{"sip", PORTS(5060, 5070, 5080), BYTES(sip), HEX(sizeof(SIP_HEAD) - 1, 8)},
	{"nat-pmp", PORTS(5351), BYTES(nat_pmp)},
	{"mdns", PORTS(5353), BYTES(mdns), BINARY(0, 2, 0)},
	{"coap", PORTS(5683), BYTES(coap), BINARY(4, 8, 4)},
	{"dht", PORTS(6881), BYTES(dht), BINARY(47, 8, DP_TOKEN_ANYWHERE)},
	{"pfcp", PORTS(8805), BYTES(pfcp), BINARY(4, 3, 4)},
	{"ubiquiti", PORTS(10001), BYTES(ubiquiti)},
	{"memcached", PORTS(11211), BYTES(memcached), BINARY(0, 2, 0)},
	{"raknet", PORTS(19132, 19133), BYTES(raknet), BINARY(1, 8, 1)},
	{"source", PORTS(27015, 27016), BYTES(source)},
	{"quake", PORTS(27960), BYTES(quake), HEX(sizeof(QUAKE_HEAD) - 1, 4)},
	{"enip", PORTS(44818), BYTES(enip), BINARY(14, 6, 14)},
	{"bacnet", PORTS(47808), BYTES(bacnet), BINARY(8, 1, 7)},
};

const struct dp_payload *dp_payloads_builtin(unsigned *nb) {
	*nb = sizeof(rows) / sizeof(rows[0]);
	return rows;
}
