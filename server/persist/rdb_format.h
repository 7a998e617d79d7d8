#ifndef SPINDLE_PERSIST_RDB_FORMAT_H
#define SPINDLE_PERSIST_RDB_FORMAT_H

/*
 * Numbers of the RDB file format.
 *
 * A file is a magic word with a version, then opcodes and records, RDB_OP_END, and from version 5 on 8 bytes
 * of CRC64 (little-endian; 0: not computed). A record is a value type byte, a key and a value, with the
 * opcodes that describe it (deadline, idle time, frequency) in front. Lengths are 1, 2, 5 or 9 bytes,
 * big-endian; everything else is little-endian.
 */

enum {
    RDB_VERSION = 10,          /* what is written: Redis 7.0 and everything later reads it */
    RDB_VERSION_STREAM_3 = 11, /* unless there is a stream of this type */
    RDB_VERSION_READ_MAX = 12,
    RDB_VERSION_VALKEY = 80, /* with the magic word VALKEY */
    RDB_VERSION_CHECKSUM = 5,
    RDB_VERSION_SLOT_INFO = 12,
    RDB_VERSION_FIELD_DEADLINES = 12,

    RDB_MAGIC_BYTES = 9, /* REDIS0010, VALKEY080 */
    RDB_CHECKSUM_BYTES = 8,
    RDB_DUMP_FOOTER_BYTES = 2 + RDB_CHECKSUM_BYTES,
};

enum rdb_opcode {
    RDB_OP_SLOT_INFO = 244,
    RDB_OP_FUNCTION = 245,
    RDB_OP_FUNCTION_OLD = 246,
    RDB_OP_MODULE_AUX = 247,
    RDB_OP_IDLE = 248,
    RDB_OP_FREQUENCY = 249,
    RDB_OP_AUX = 250,
    RDB_OP_RESIZE = 251,
    RDB_OP_EXPIRY_MS = 252,
    RDB_OP_EXPIRY_S = 253,
    RDB_OP_SELECT = 254,
    RDB_OP_END = 255,
};

enum rdb_type {
    RDB_TYPE_STRING = 0,
    RDB_TYPE_LIST = 1,
    RDB_TYPE_SET = 2,
    RDB_TYPE_ZSET = 3,
    RDB_TYPE_HASH = 4,
    RDB_TYPE_ZSET_2 = 5,
    RDB_TYPE_MODULE = 6,
    RDB_TYPE_MODULE_2 = 7,
    RDB_TYPE_HASH_ZIPMAP = 9,
    RDB_TYPE_LIST_ZIPLIST = 10,
    RDB_TYPE_SET_INTSET = 11,
    RDB_TYPE_ZSET_ZIPLIST = 12,
    RDB_TYPE_HASH_ZIPLIST = 13,
    RDB_TYPE_LIST_QUICKLIST = 14,
    RDB_TYPE_STREAM = 15,
    RDB_TYPE_HASH_LISTPACK = 16,
    RDB_TYPE_ZSET_LISTPACK = 17,
    RDB_TYPE_LIST_QUICKLIST_2 = 18,
    RDB_TYPE_STREAM_2 = 19,
    RDB_TYPE_SET_LISTPACK = 20,
    RDB_TYPE_STREAM_3 = 21,
    /* Hashes whose fields have deadlines: 22 in Valkey's files; 22 to 25 in Redis's of version 12. */
    RDB_TYPE_HASH_DEADLINES_OLD = 22,
    RDB_TYPE_HASH_LISTPACK_DEADLINES_OLD = 23,
    RDB_TYPE_HASH_DEADLINES = 24,
    RDB_TYPE_HASH_LISTPACK_DEADLINES = 25,
    RDB_TYPE_COUNT = 32, /* no type byte that is read reaches this */
};

/* First byte of a length; the upper two bits choose. */
enum {
    RDB_LENGTH_6BIT = 0x00,
    RDB_LENGTH_14BIT = 0x40,
    RDB_LENGTH_32BIT = 0x80,
    RDB_LENGTH_64BIT = 0x81,
    RDB_LENGTH_SPECIAL = 0xc0, /* a string in another form follows: lower six bits */
    RDB_LENGTH_MAX_BYTES = 9,

    RDB_STRING_INT8 = 0,
    RDB_STRING_INT16 = 1,
    RDB_STRING_INT32 = 2,
    RDB_STRING_LZF = 3,
};

/* Parts of what a module wrote, each behind its number. */
enum rdb_module_part {
    RDB_MODULE_END = 0,
    RDB_MODULE_SIGNED = 1,
    RDB_MODULE_UNSIGNED = 2,
    RDB_MODULE_FLOAT = 3,
    RDB_MODULE_DOUBLE = 4,
    RDB_MODULE_STRING = 5,
};

enum {
    /* Strings longer than this are tried with LZF, and kept so when they shrink by LZF_GAIN_MIN bytes. */
    RDB_LZF_LENGTH_MIN = 20,
    RDB_LZF_GAIN_MIN = 4,
    /* The longest match LZF can write takes 3 bytes and stands for 264. */
    RDB_LZF_EXPANSION_MAX = 88,
    /* Strings up to this length that are integers are written as such: "-2147483648". */
    RDB_INTEGER_TEXT_MAX = 11,
};

#endif
