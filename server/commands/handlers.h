#ifndef SPINDLE_COMMANDS_HANDLERS_H
#define SPINDLE_COMMANDS_HANDLERS_H

/*
 * Every command handler, by family, for the tables of commands. A handler executes one command and writes
 * exactly one reply (call.h). Main thread only.
 */

struct call;

typedef void command_handler(struct call *call);

/* connection */
command_handler cmd_auth, cmd_client_caching, cmd_client_getname, cmd_client_getredir, cmd_client_help,
    cmd_client_id, cmd_client_info, cmd_client_kill, cmd_client_list, cmd_client_no_evict,
    cmd_client_no_touch, cmd_client_pause, cmd_client_unpause, cmd_client_reply, cmd_client_setinfo,
    cmd_client_setname, cmd_client_tracking, cmd_client_trackinginfo, cmd_client_unblock, cmd_echo, cmd_hello,
    cmd_ping, cmd_quit, cmd_reset, cmd_select;

/* string */
command_handler cmd_append, cmd_decr, cmd_decrby, cmd_get, cmd_getdel, cmd_getex, cmd_getrange, cmd_getset,
    cmd_incr, cmd_incrby, cmd_incrbyfloat, cmd_lcs, cmd_mget, cmd_mset, cmd_msetnx, cmd_psetex, cmd_set,
    cmd_setex, cmd_setnx, cmd_setrange, cmd_strlen, cmd_substr;

/* bitmap */
command_handler cmd_bitcount, cmd_bitfield, cmd_bitfield_ro, cmd_bitop, cmd_bitpos, cmd_getbit, cmd_setbit;

/* generic */
command_handler cmd_copy, cmd_del, cmd_dump, cmd_exists, cmd_expire, cmd_expireat, cmd_expiretime, cmd_keys,
    cmd_move, cmd_object_encoding, cmd_object_freq, cmd_object_help, cmd_object_idletime, cmd_object_refcount,
    cmd_persist, cmd_pexpire, cmd_pexpireat, cmd_pexpiretime, cmd_pttl, cmd_randomkey, cmd_rename,
    cmd_renamenx, cmd_restore, cmd_scan, cmd_touch, cmd_ttl, cmd_type, cmd_unlink, cmd_wait;

/* server */
command_handler cmd_bgsave, cmd_command, cmd_command_count, cmd_command_docs, cmd_command_getkeys,
    cmd_command_getkeysandflags, cmd_command_help, cmd_command_info, cmd_command_list, cmd_config_get,
    cmd_config_help, cmd_config_resetstat, cmd_config_rewrite, cmd_config_set, cmd_dbsize, cmd_debug,
    cmd_flushall, cmd_flushdb, cmd_info, cmd_lastsave, cmd_latency_doctor, cmd_latency_graph,
    cmd_latency_help, cmd_latency_histogram, cmd_latency_history, cmd_latency_latest, cmd_latency_reset,
    cmd_lolwut, cmd_memory_doctor, cmd_memory_help, cmd_memory_malloc_stats, cmd_memory_purge,
    cmd_memory_stats, cmd_memory_usage, cmd_module_help, cmd_module_list, cmd_monitor, cmd_role, cmd_save,
    cmd_shutdown, cmd_slowlog_get, cmd_slowlog_help, cmd_slowlog_len, cmd_slowlog_reset, cmd_swapdb, cmd_time;

/* acl */
command_handler cmd_acl_cat, cmd_acl_deluser, cmd_acl_dryrun, cmd_acl_genpass, cmd_acl_getuser, cmd_acl_help,
    cmd_acl_list, cmd_acl_load, cmd_acl_log, cmd_acl_save, cmd_acl_setuser, cmd_acl_users, cmd_acl_whoami;

/* hash */
command_handler cmd_hdel, cmd_hexists, cmd_hget, cmd_hgetall, cmd_hincrby, cmd_hincrbyfloat, cmd_hkeys,
    cmd_hlen, cmd_hmget, cmd_hmset, cmd_hrandfield, cmd_hscan, cmd_hset, cmd_hsetnx, cmd_hstrlen, cmd_hvals;

/* set */
command_handler cmd_sadd, cmd_scard, cmd_sdiff, cmd_sdiffstore, cmd_sinter, cmd_sintercard, cmd_sinterstore,
    cmd_sismember, cmd_smembers, cmd_smismember, cmd_smove, cmd_spop, cmd_srandmember, cmd_srem, cmd_sscan,
    cmd_sunion, cmd_sunionstore;

/* sort */
command_handler cmd_sort, cmd_sort_ro;

/* list */
command_handler cmd_blmove, cmd_blmpop, cmd_blpop, cmd_brpop, cmd_brpoplpush, cmd_lindex, cmd_linsert,
    cmd_llen, cmd_lmove, cmd_lmpop, cmd_lpop, cmd_lpos, cmd_lpush, cmd_lpushx, cmd_lrange, cmd_lrem, cmd_lset,
    cmd_ltrim, cmd_rpop, cmd_rpoplpush, cmd_rpush, cmd_rpushx;

/* zset */
command_handler cmd_bzmpop, cmd_bzpopmax, cmd_bzpopmin, cmd_zadd, cmd_zcard, cmd_zcount, cmd_zdiff,
    cmd_zdiffstore, cmd_zincrby, cmd_zinter, cmd_zintercard, cmd_zinterstore, cmd_zlexcount, cmd_zmpop,
    cmd_zmscore, cmd_zpopmax, cmd_zpopmin, cmd_zrandmember, cmd_zrange, cmd_zrangebylex, cmd_zrangebyscore,
    cmd_zrangestore, cmd_zrank, cmd_zrem, cmd_zremrangebylex, cmd_zremrangebyrank, cmd_zremrangebyscore,
    cmd_zrevrange, cmd_zrevrangebylex, cmd_zrevrangebyscore, cmd_zrevrank, cmd_zscan, cmd_zscore, cmd_zunion,
    cmd_zunionstore;

/* stream */
command_handler cmd_xack, cmd_xadd, cmd_xautoclaim, cmd_xclaim, cmd_xdel, cmd_xgroup_create,
    cmd_xgroup_createconsumer, cmd_xgroup_delconsumer, cmd_xgroup_destroy, cmd_xgroup_help, cmd_xgroup_setid,
    cmd_xinfo_consumers, cmd_xinfo_groups, cmd_xinfo_help, cmd_xinfo_stream, cmd_xlen, cmd_xpending,
    cmd_xrange, cmd_xread, cmd_xreadgroup, cmd_xrevrange, cmd_xsetid, cmd_xtrim;

/* hyperloglog */
command_handler cmd_pfadd, cmd_pfcount, cmd_pfdebug, cmd_pfmerge, cmd_pfselftest;

/* geo */
command_handler cmd_geoadd, cmd_geodist, cmd_geohash, cmd_geopos, cmd_georadius, cmd_georadius_ro,
    cmd_georadiusbymember, cmd_georadiusbymember_ro, cmd_geosearch, cmd_geosearchstore;

/* pubsub */
command_handler cmd_psubscribe, cmd_publish, cmd_pubsub_channels, cmd_pubsub_help, cmd_pubsub_numpat,
    cmd_pubsub_numsub, cmd_pubsub_shardchannels, cmd_pubsub_shardnumsub, cmd_punsubscribe, cmd_spublish,
    cmd_ssubscribe, cmd_subscribe, cmd_sunsubscribe, cmd_unsubscribe;

/* scripting */
command_handler cmd_eval, cmd_eval_ro, cmd_evalsha, cmd_evalsha_ro, cmd_fcall, cmd_fcall_ro,
    cmd_function_delete, cmd_function_dump, cmd_function_flush, cmd_function_help, cmd_function_kill,
    cmd_function_list, cmd_function_load, cmd_function_restore, cmd_function_stats, cmd_script_debug,
    cmd_script_exists, cmd_script_flush, cmd_script_help, cmd_script_kill, cmd_script_load;

/* transactions */
command_handler cmd_discard, cmd_exec, cmd_multi, cmd_unwatch, cmd_watch;

#endif
