#ifndef SPINDLE_TESTS_FUZZ_RESP_CHECK_H
#define SPINDLE_TESTS_FUZZ_RESP_CHECK_H

#include "protocol/resp_parse.h"

/*
 * What must hold for every stream of bytes that a request parser may meet, checked for one stream:
 * - parsing in one go, byte by byte, and in pieces chosen by seed, each time on a fresh copy of exactly the
 *   bytes received so far, gives the same requests, the same error and the same end;
 * - so does taking long bulk strings out of the stream while it is read;
 * - resp_parse_whole accepts exactly the complete arrays of 1 to RESP_CHECK_CAPACITY arguments, and reads
 *   them as resp_parse does.
 * Says what differs on stderr and aborts.
 */
enum { RESP_CHECK_CAPACITY = 16 };

void resp_check_stream(const char *data, size_t length, const struct resp_limits *limits, uint64_t seed);

#endif
