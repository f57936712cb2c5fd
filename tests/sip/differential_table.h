/*
 * Where sip/ and libosip2 5.3 say different things of a message, and why ours is what we want.
 */
#pragma once

struct explanation {
	const char *message; /* file name, or a pattern */
	const char *fact;    /* name of the fact, or a pattern */
	const char *why;
};

static const struct explanation explained[] = {
	{ "rfc4475/wsinv.dat", "header.subject",
	  "libosip2 keeps the compact name s as it is; RFC 3261 7.3.3 makes it Subject" },
	{ "rfc4475/wsinv.dat", "header.s", "the same header" },
	{ "rfc4475/intmeth.dat", "parsed",
	  "libosip2 works on C strings, and the message holds a NUL inside quotes, which is "
	  "legal" },
	{ "rfc4475/escnull.dat", "*.user",
	  "libosip2 decodes %00 into the end of its string; the user part goes on" },
	{ "rfc4475/ncl.dat", "parsed",
	  "libosip2 takes a negative Content-Length; RFC 4475 3.1.2.3 wants an error" },
	{ "rfc4475/scalar02.dat", "parsed",
	  "libosip2 keeps numbers as text; RFC 4475 3.1.2.4 wants 400 for the CSeq" },
	{ "rfc4475/scalarlg.dat", "parsed",
	  "libosip2 keeps numbers as text; RFC 4475 3.1.2.5 wants the response discarded" },
	{ "rfc4475/badaspec.dat", "parsed",
	  "libosip2 refuses spaces inside < > of To; RFC 4475 3.1.2.14 lets an element ignore "
	  "them" },
	{ "rfc4475/badvers.dat", "parsed",
	  "libosip2 leaves the version to its caller; ours is a result of its own, for 505" },
	{ "rfc4475/mismatch01.dat", "parsed",
	  "libosip2 leaves the CSeq method to its caller (RFC 3261 8.1.1.5)" },
	{ "rfc4475/mismatch02.dat", "parsed",
	  "libosip2 leaves the CSeq method to its caller (RFC 3261 8.1.1.5)" },
	{ "rfc4475/bigcode.dat", "parsed",
	  "libosip2 lets a status code of ten digits overflow; RFC 4475 3.1.2.19 wants it "
	  "dropped" },
	{ "rfc4475/insuf.dat", "parsed",
	  "libosip2 leaves mandatory headers to its caller (RFC 3261 8.1.1)" },
	{ "rfc4475/novelsc.dat", "parsed",
	  "libosip2 refuses a scheme with a dot in its name, which RFC 3261 25.1 allows" },
	{ "rfc4475/inv2543.dat", "content-length",
	  "libosip2 adds the Content-Length that the message does not have" },
	{ "rfc5118/ipv6-bad", "ruri.*",
	  "libosip2 takes the last colon of an address without brackets for that of a port; RFC "
	  "5118 4.2 wants 400" },
	{ "sipp-info-200-2.sip", "parsed",
	  "a response without a Via, made by SIPp from a request with v:; nobody could forward "
	  "it" },
};
