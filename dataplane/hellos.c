/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hellos that are built in: what is said first on an open TCP port. Constant data; the book
 * looks into it once.
 *
 * Each was written from the specification that its comment names, fits the least MSS a host may
 * have, and asks a question that changes nothing. What a protocol wants to be random is constant: no
 * session comes of it.
 */
#include <dp/payload.h>

#include <assert.h>

/* One field of a message a line. */
/* clang-format off */

/* HTTP, RFC 1945 5: version 1.1 would want the host's name. */
static const char http[] =
	"GET / HTTP/1.0\r\n"
	"\r\n";

/* TLS ClientHello without a name, RFC 8446 4.1.2 and RFC 5246 7.4.1.2. */
static const char tls[] =
	"\x16\x03\x01\x00\xea" /* handshake, RFC 8446 5.1 */
	"\x01\x00\x00\xe6" /* ClientHello */
	"\x03\x03" /* TLS 1.2 by name, RFC 8446 4.1.2 */
	"\x5a\xaa\x7b\x71\xbb\x52\xac\x16\x11\x52\x7b\x0f\xdd\x7e\x4c\x6a" /* random */
	"\x5c\x9c\xd3\xf7\xb1\x09\x6d\x02\x6a\xd0\x02\x07\x75\x83\x74\x4f"
	/* session, for middleboxes, RFC 8446 D.4 */
	"\x20\x71\xce\x04\x2b\xb4\xb5\x63\x53\x3b\x79\xc2\x92\xa3\x84\x90"
	"\x5b\xf2\x1b\x1b\x99\x5b\xcb\xbf\xa2\x1f\xcb\x53\x65\x24\xb8\xc4" "\xb6"
	/* ciphers: AEAD, then CBC; RFC 5746 */
	"\x00\x2a\x13\x01\x13\x02\x13\x03\xc0\x2b\xc0\x2f\xc0\x2c\xc0\x30"
	"\xcc\xa9\xcc\xa8\xc0\x09\xc0\x13\xc0\x0a\xc0\x14\x00\x9e\x00\x9c"
	"\x00\x9d\x00\x3c\x00\x2f\x00\x35\x00\x0a\x00\xff"
	"\x01\x00" /* no compression */
	"\x00\x73" /* extensions */
	"\x00\x2b\x00\x09\x08\x03\x04\x03\x03\x03\x02\x03\x01" /* TLS 1.3, 1.2, 1.1, 1.0 */
	/* groups x25519, P-256, P-384, P-521 */
	"\x00\x0a\x00\x0a\x00\x08\x00\x1d\x00\x17\x00\x18\x00\x19"
	"\x00\x0b\x00\x02\x01\x00" /* uncompressed points */
	/* signatures: ECDSA, EdDSA, RSA-PSS, RSA */
	"\x00\x0d\x00\x1a\x00\x18\x04\x03\x05\x03\x06\x03\x08\x07\x08\x04"
	"\x08\x05\x08\x06\x04\x01\x05\x01\x06\x01\x02\x03\x02\x01"
	"\x00\x17\x00\x00" /* extended master secret */
	"\x00\x2d\x00\x02\x01\x01" /* PSK with DHE */
	"\x00\x33\x00\x26\x00\x24\x00\x1d\x00\x20" /* key share, x25519 */
	"\x4e\x81\xad\x45\x29\xd6\xa0\x15\x98\xb7\x9d\x18\x98\x4b\xde\x74"
	"\x29\x02\x75\xc0\x34\x0e\x45\xfd\xfd\xe6\xa3\x48\x60\x39\x70\x72";

/* RDP, X.224 connection request, [MS-RDPBCGR] 2.2.1.1. */
static const char rdp[] =
	"\x03\x00\x00\x13" /* TPKT, RFC 1006 6 */
	"\x0e\xe0\x00\x00\x00\x00\x00" /* X.224 connection request */
	"\x01\x00\x08\x00\x0b\x00\x00\x00"; /* RDP_NEG_REQ: TLS, CredSSP, extended */

/* SMB 2 NEGOTIATE, [MS-SMB2] 2.2.3. */
static const char smb[] =
	"\x00\x00\x00\x6c" /* length, [MS-SMB2] 2.1 */
	"\xfe\x53\x4d\x42\x40\x00" /* SMB2 header */
	/* NEGOTIATE, one credit */
	"\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00"
	"\x00\x00"
	"\x00\x00\x00\x00\x00\x00\x00\x00" /* message 0 */
	"\xff\xfe\x00\x00\x00\x00\x00\x00" /* process, tree */
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" /* session, signature */
	"\x00\x00\x00\x00\x00\x00\x00\x00"
	"\x24\x00\x04\x00\x01\x00\x00\x00\x00\x00\x00\x00" /* four dialects, signing enabled */
	"\x1d\x32\x22\x72\x5a\x23\x8b\x9c\x6f\x06\x04\x6e\x7c\x8f\x7a\x33" /* client GUID */
	"\x00\x00\x00\x00\x00\x00\x00\x00" /* start time */
	"\x02\x02\x10\x02\x00\x03\x02\x03"; /* 2.0.2, 2.1, 3.0, 3.0.2 */

/*
 * LDAP, the root DSE, RFC 4511 4.5.1 and RFC 4512 5.1: all attributes, RFC 3673 for those of
 * operation.
 */
static const char ldap[] =
	"\x30\x2b"
	"\x02\x01"
	"\x01" /* messageID */
	"\x63\x26" /* SearchRequest */
	"\x04\x00\x0a\x01\x00\x0a\x01\x00" /* the root, base object, aliases as they are */
	"\x02\x01\x00\x02\x01\x00\x01\x01\x00" /* no limits, values too */
	"\x87\x0b" "objectClass" /* objectClass is present */
	"\x30\x06"
	"\x04\x01" "*"
	"\x04\x01" "+";

/* MongoDB, OP_MSG with the command hello, MongoDB wire protocol. */
static const char mongodb[] =
	"\x34\x00\x00\x00" /* length */
	"\x01\x00\x00\x00\x00\x00\x00\x00" /* request 1 */
	"\xdd\x07\x00\x00" /* OP_MSG */
	"\x00\x00\x00\x00\x00" /* no flags, a document */
	"\x1f\x00\x00\x00" /* its length */
	"\x10" "hello" "\x00\x01\x00\x00\x00" /* hello: 1 */
	"\x02" "$db" "\x00\x06\x00\x00\x00" "admin" "\x00" /* $db: admin */
	"\x00"; /* end */

/* Redis, INFO server, Redis serialization protocol. */
static const char redis[] =
	"*2\r\n" "$4\r\nINFO\r\n" "$6\r\nserver\r\n";

/* PostgreSQL SSLRequest, PostgreSQL protocol 55.7; the answer is one letter. */
static const char postgresql[] =
	"\x00\x00\x00\x08" /* length */
	"\x04\xd2\x16\x2f"; /* SSLRequest */

/* MQTT CONNECT, MQTT 3.1.1 3.1. */
static const char mqtt[] =
	"\x10\x0c" /* CONNECT, 12 bytes */
	"\x00\x04" "MQTT" "\x04" /* version 3.1.1 */
	"\x02\x00\x3c" /* clean session, keep alive */
	"\x00\x00"; /* no client identifier */

/* DNS over TCP, RFC 1035 4.2.2; version.bind by RFC 4892 3. */
static const char dns[] =
	"\x00\x1e" /* length */
	"\x70\x74\x00\x00" /* id, a query */
	"\x00\x01\x00\x00\x00\x00\x00\x00" /* one question */
	"\x07" "version" "\x04" "bind" "\x00"
	"\x00\x10\x00\x03"; /* TXT, CHAOS */

/* AMQP 0-9-1 protocol header, AMQP 0-9-1 4.2.2. */
static const char amqp[] =
	"AMQP" "\x00\x00\x09\x01";

/* Cassandra OPTIONS, CQL binary protocol version 4, 2 and 4.1.3. */
static const char cassandra[] =
	"\x04\x00\x00\x00" /* version 4, a request, stream 0 */
	"\x05\x00\x00\x00\x00"; /* OPTIONS, without a body */

/* Kafka ApiVersions, Kafka protocol guide. */
static const char kafka[] =
	"\x00\x00\x00\x0f" /* length */
	"\x00\x12\x00\x00" /* ApiVersions, version 0 */
	"\x00\x00\x00\x01" /* correlation */
	"\x00\x05" "prtip"; /* client */

/* SQL Server PRELOGIN, [MS-TDS] 2.2.6.5. */
static const char mssql[] =
	"\x12\x01\x00\x2f\x00\x00\x00\x00" /* PRELOGIN, the last packet */
	"\x00\x00\x1a\x00\x06" /* VERSION */
	"\x01\x00\x20\x00\x01" /* ENCRYPTION: not supported */
	"\x02\x00\x21\x00\x01" /* INSTOPT: none */
	"\x03\x00\x22\x00\x04" /* THREADID */
	"\x04\x00\x26\x00\x01" /* MARS: off */
	"\xff" /* end */
	"\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00"; /* their values */

/* X11 connection setup, X Window System Protocol, section 8. */
static const char x11[] =
	"\x6c\x00\x0b\x00\x00\x00" /* little-endian, version 11.0 */
	"\x00\x00\x00\x00\x00\x00"; /* no authorization */

/* Java RMI, RMI wire protocol 10.2. */
static const char rmi[] =
	"JRMI" "\x00\x02" /* version 2 */
	"\x4b"; /* StreamProtocol */

/* Modbus/TCP, Modbus application protocol 1.1b3 6.21. */
static const char modbus[] =
	"\x00\x01\x00\x00\x00\x05" /* transaction, protocol, 5 bytes */
	"\xff" /* the device itself */
	"\x2b\x0e\x01\x00"; /* Read Device Identification, basic */

/* ISO transport over TCP as Siemens S7 speaks it: connection request, RFC 905 13.3. */
static const char s7[] =
	"\x03\x00\x00\x16" /* TPKT, RFC 1006 6 */
	"\x11\xe0\x00\x00\x00\x01\x00" /* connection request */
	"\xc1\x02\x01\x00" /* calling TSAP */
	"\xc2\x02\x01\x02" /* called TSAP: rack 0, slot 2 */
	"\xc0\x01\x0a"; /* TPDUs of 1,024 bytes */

/*
 * Oracle TNS CONNECT; no specification is public, the fields are as protocol analysers name them.
 */
static const char oracle[] =
	"\x00\x68\x00\x00\x01\x00\x00\x00" /* length, CONNECT */
	"\x01\x36\x01\x2c" /* version 310, compatible with 300 */
	"\x00\x00\x08\x00\x7f\xff" /* options, session and transport units */
	"\x4f\x98\x00\x00\x00\x01" /* characteristics, byte order */
	"\x00\x2e\x00\x3a" /* connect data, where it is */
	"\x00\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" /* no limit, no trace */
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	"\x28" "DESCRIPTION" "\x3d\x28" "CONNECT_DATA" "\x3d\x28" "COMMAND" "\x3d"
	"version" "\x29\x29\x29";

/* SOCKS 5, RFC 1928 3. */
static const char socks5[] =
	"\x05\x02\x00\x02"; /* no authentication, or a password */

/* ONC RPC port mapper, NULL, RFC 5531 9 and RFC 1833 3. */
static const char rpc[] =
	"\x80\x00\x00\x28" /* the last fragment, RFC 5531 11 */
	"prtp" /* xid */
	"\x00\x00\x00\x00\x00\x00\x00\x02" /* call, RPC version 2 */
	"\x00\x01\x86\xa0\x00\x00\x00\x02" /* port mapper, version 2 */
	"\x00\x00\x00\x00" /* procedure NULL */
	/* no credentials, no verifier */
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";

/* AJP 1.3 CPing, Apache Tomcat connectors reference. */
static const char ajp[] =
	"\x12\x34\x00\x01\x0a"; /* CPing */

/* EtherNet/IP ListIdentity, CIP volume 2, 2-4.2. */
static const char enip[] =
	"\x63\x00\x00\x00" /* ListIdentity, no data */
	/* session, status, context, options */
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	"\x00\x00\x00\x00";

/* Minecraft server list ping. */
static const char minecraft[] =
	"\x0f\x00\x2f\x09" "localhostc" "\xdd\x01" /* handshake, status wanted */
	"\x01\x00"; /* status request */

/* memcached's text protocol, doc/protocol.txt. */
static const char memcached[] = "version\r\n";

/* RTSP OPTIONS, RFC 2326 10.1. */
static const char rtsp[] =
	"OPTIONS * RTSP/1.0\r\n"
	"CSeq: 1\r\n"
	"\r\n";

/* SIP OPTIONS, RFC 3261 11, for who takes it himself (16.3). */
static const char sip[] =
	"OPTIONS sip:prtip.invalid SIP/2.0\r\n"
	"Via: SIP/2.0/TCP prtip.invalid;rport;branch=z9hG4bK70727470\r\n"
	"Max-Forwards: 0\r\n"
	"From: <sip:prtip.invalid>;tag=1\r\n"
	"To: <sip:prtip.invalid>\r\n"
	"Call-ID: 1@prtip.invalid\r\n"
	"CSeq: 1 OPTIONS\r\n"
	"Contact: <sip:prtip.invalid>\r\n"
	"Accept: application/sdp\r\n"
	"Content-Length: 0\r\n"
	"\r\n";

/* ZooKeeper's four letter word for what it is, ZooKeeper administrator's guide. */
static const char zookeeper[] = "srvr";

/* JDWP handshake, Java Debug Wire Protocol; the VM says the same. */
static const char jdwp[] = "JDWP-Handshake";

/* Finger and Gopher: who is there, RFC 1288 2.3; what is there, RFC 1436 2. */
static const char line[] = "\r\n";

/* XMPP stream, RFC 6120 4.2; a server without a host of this name says so in one (4.9.3.6). */
static const char xmpp_client[] =
	"<?xml version='1.0'?>"
	"<stream:stream to='localhost' version='1.0' xmlns='jabber:client'"
	" xmlns:stream='http://etherx.jabber.org/streams'>";
static const char xmpp_server[] =
	"<?xml version='1.0'?>"
	"<stream:stream to='localhost' version='1.0' xmlns='jabber:server'"
	" xmlns:stream='http://etherx.jabber.org/streams'>";

/* clang-format on */

#define PORTS(...)                                                                                 \
	.ports = (const uint16_t[]){__VA_ARGS__},                                                  \
	.nb_ports = sizeof((const uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t)
#define BYTES(array) .bytes = (const uint8_t *)(array), .length = sizeof(array) - 1

static_assert(sizeof(tls) - 1 <= DP_HELLO_MAX_BYTES);

static const struct dp_hello rows[] = {
	{"http",
		PORTS(80, 81, 591, 631, 2375, 2379, 3000, 3128, 4040, 5000, 5601, 5984, 5985, 7001,
			7080, 7474, 8000, 8001, 8008, 8042, 8060, 8080, 8081, 8082, 8086, 8088,
			8090, 8123, 8161, 8180, 8500, 8888, 8983, 9000, 9080, 9090, 9091, 9200,
			15672, 16010, 50070),
		BYTES(http)},
	{"tls",
		PORTS(443, 465, 563, 636, 853, 989, 990, 992, 993, 994, 995, 2083, 2087, 2096, 2376,
			3269, 4443, 5061, 5223, 5671, 5986, 6443, 6514, 6697, 7443, 8006, 8443,
			8883, 9443, 10250, 10443),
		BYTES(tls)},

	/*
	 * Their servers speak first. And printers (9100 to 9107) would print whatever they are told:
	 * they must be in this list.
	 */
	{"silence",
		PORTS(13, 17, 19, 21, 22, 23, 24, 25, 26, 37, 106, 109, 110, 119, 143, 179, 220,
			515, 587, 873, 902, 2000, 2121, 2222, 2323, 2525, 2628, 3306, 3307, 4190,
			4222, 5900, 5901, 5902, 5903, 6667, 8021, 9100, 9101, 9102, 9103, 9104,
			9105, 9106, 9107, 22222, 33060)},

	{"dns", PORTS(53), BYTES(dns)},
	{"gopher", PORTS(70), BYTES(line)},
	{"finger", PORTS(79), BYTES(line)},
	{"s7", PORTS(102), BYTES(s7)},
	{"rpc", PORTS(111), BYTES(rpc)},
	{"ldap", PORTS(389, 3268), BYTES(ldap)},
	{"smb", PORTS(445), BYTES(smb)},
	{"modbus", PORTS(502), BYTES(modbus)},
	{"rtsp", PORTS(554, 8554), BYTES(rtsp)},
	{"socks5", PORTS(1080), BYTES(socks5)},
	{"rmi", PORTS(1098, 1099), BYTES(rmi)},
	{"mssql", PORTS(1433), BYTES(mssql)},
	{"oracle", PORTS(1521), BYTES(oracle)},
	{"mqtt", PORTS(1883), BYTES(mqtt)},
	{"zookeeper", PORTS(2181), BYTES(zookeeper)},
	{"rdp", PORTS(3389), BYTES(rdp)},
	{"jdwp", PORTS(5005), BYTES(jdwp)},
	{"sip", PORTS(5060, 5080), BYTES(sip)},
	{"xmpp-client", PORTS(5222), BYTES(xmpp_client)},
	{"xmpp-server", PORTS(5269), BYTES(xmpp_server)},
	{"postgresql", PORTS(5432, 5433), BYTES(postgresql)},
	{"amqp", PORTS(5672), BYTES(amqp)},
	{"x11", PORTS(6000, 6001, 6002, 6003, 6004, 6005, 6006, 6007, 6008, 6009), BYTES(x11)},
	{"redis", PORTS(6379, 6380, 16379), BYTES(redis)},
	{"ajp", PORTS(8009), BYTES(ajp)},
	{"cassandra", PORTS(9042), BYTES(cassandra)},
	{"kafka", PORTS(9092), BYTES(kafka)},
	{"memcached", PORTS(11211), BYTES(memcached)},
	{"minecraft", PORTS(25565), BYTES(minecraft)},
	{"mongodb", PORTS(27017, 27018, 27019), BYTES(mongodb)},
	{"enip", PORTS(44818), BYTES(enip)},
};

const struct dp_hello *dp_hellos_builtin(unsigned *nb) {
	*nb = sizeof(rows) / sizeof(rows[0]);
	return rows;
}
