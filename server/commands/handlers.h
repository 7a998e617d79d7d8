#ifndef SPINDLE_COMMANDS_HANDLERS_H
#define SPINDLE_COMMANDS_HANDLERS_H

/*
 * Every command handler, by family, for the tables of commands. A handler executes one command and writes
 * exactly one reply (call.h). Main thread only.
 */

struct call;

/* Weak while families arrive one by one: the registry leaves out what is not linked. */
#define HANDLER(name) void name(struct call *call) __attribute__((weak))

/* connection */
HANDLER(cmd_auth);
HANDLER(cmd_client_getname);
HANDLER(cmd_client_getredir);
HANDLER(cmd_client_help);
HANDLER(cmd_client_id);
HANDLER(cmd_client_info);
HANDLER(cmd_client_kill);
HANDLER(cmd_client_list);
HANDLER(cmd_client_no_evict);
HANDLER(cmd_client_no_touch);
HANDLER(cmd_client_reply);
HANDLER(cmd_client_setinfo);
HANDLER(cmd_client_setname);
HANDLER(cmd_client_trackinginfo);
HANDLER(cmd_echo);
HANDLER(cmd_hello);
HANDLER(cmd_ping);
HANDLER(cmd_quit);
HANDLER(cmd_reset);
HANDLER(cmd_select);

/* string */
HANDLER(cmd_append);
HANDLER(cmd_decr);
HANDLER(cmd_decrby);
HANDLER(cmd_get);
HANDLER(cmd_getdel);
HANDLER(cmd_getex);
HANDLER(cmd_getrange);
HANDLER(cmd_getset);
HANDLER(cmd_incr);
HANDLER(cmd_incrby);
HANDLER(cmd_incrbyfloat);
HANDLER(cmd_lcs);
HANDLER(cmd_mget);
HANDLER(cmd_mset);
HANDLER(cmd_msetnx);
HANDLER(cmd_psetex);
HANDLER(cmd_set);
HANDLER(cmd_setex);
HANDLER(cmd_setnx);
HANDLER(cmd_setrange);
HANDLER(cmd_strlen);
HANDLER(cmd_substr);

/* bitmap */
HANDLER(cmd_bitcount);
HANDLER(cmd_bitfield);
HANDLER(cmd_bitfield_ro);
HANDLER(cmd_bitop);
HANDLER(cmd_bitpos);
HANDLER(cmd_getbit);
HANDLER(cmd_setbit);

/* generic */
HANDLER(cmd_copy);
HANDLER(cmd_del);
HANDLER(cmd_dump);
HANDLER(cmd_exists);
HANDLER(cmd_expire);
HANDLER(cmd_expireat);
HANDLER(cmd_expiretime);
HANDLER(cmd_keys);
HANDLER(cmd_move);
HANDLER(cmd_object_encoding);
HANDLER(cmd_object_freq);
HANDLER(cmd_object_help);
HANDLER(cmd_object_idletime);
HANDLER(cmd_object_refcount);
HANDLER(cmd_persist);
HANDLER(cmd_pexpire);
HANDLER(cmd_pexpireat);
HANDLER(cmd_pexpiretime);
HANDLER(cmd_pttl);
HANDLER(cmd_randomkey);
HANDLER(cmd_rename);
HANDLER(cmd_renamenx);
HANDLER(cmd_restore);
HANDLER(cmd_scan);
HANDLER(cmd_sort);
HANDLER(cmd_sort_ro);
HANDLER(cmd_touch);
HANDLER(cmd_ttl);
HANDLER(cmd_type);
HANDLER(cmd_unlink);
HANDLER(cmd_wait);

/* server */
HANDLER(cmd_bgsave);
HANDLER(cmd_command);
HANDLER(cmd_command_count);
HANDLER(cmd_command_docs);
HANDLER(cmd_command_getkeys);
HANDLER(cmd_command_getkeysandflags);
HANDLER(cmd_command_help);
HANDLER(cmd_command_info);
HANDLER(cmd_command_list);
HANDLER(cmd_config_get);
HANDLER(cmd_config_help);
HANDLER(cmd_config_resetstat);
HANDLER(cmd_config_rewrite);
HANDLER(cmd_config_set);
HANDLER(cmd_dbsize);
HANDLER(cmd_debug);
HANDLER(cmd_flushall);
HANDLER(cmd_flushdb);
HANDLER(cmd_info);
HANDLER(cmd_lastsave);
HANDLER(cmd_latency_doctor);
HANDLER(cmd_latency_graph);
HANDLER(cmd_latency_help);
HANDLER(cmd_latency_histogram);
HANDLER(cmd_latency_history);
HANDLER(cmd_latency_latest);
HANDLER(cmd_latency_reset);
HANDLER(cmd_lolwut);
HANDLER(cmd_memory_doctor);
HANDLER(cmd_memory_help);
HANDLER(cmd_memory_malloc_stats);
HANDLER(cmd_memory_purge);
HANDLER(cmd_memory_stats);
HANDLER(cmd_memory_usage);
HANDLER(cmd_module_help);
HANDLER(cmd_module_list);
HANDLER(cmd_role);
HANDLER(cmd_save);
HANDLER(cmd_shutdown);
HANDLER(cmd_slowlog_get);
HANDLER(cmd_slowlog_help);
HANDLER(cmd_slowlog_len);
HANDLER(cmd_slowlog_reset);
HANDLER(cmd_swapdb);
HANDLER(cmd_time);

/* list */
HANDLER(cmd_blmove);
HANDLER(cmd_blmpop);
HANDLER(cmd_blpop);
HANDLER(cmd_brpop);
HANDLER(cmd_brpoplpush);
HANDLER(cmd_lindex);
HANDLER(cmd_linsert);
HANDLER(cmd_llen);
HANDLER(cmd_lmove);
HANDLER(cmd_lmpop);
HANDLER(cmd_lpop);
HANDLER(cmd_lpos);
HANDLER(cmd_lpush);
HANDLER(cmd_lpushx);
HANDLER(cmd_lrange);
HANDLER(cmd_lrem);
HANDLER(cmd_lset);
HANDLER(cmd_ltrim);
HANDLER(cmd_rpop);
HANDLER(cmd_rpoplpush);
HANDLER(cmd_rpush);
HANDLER(cmd_rpushx);

/* hash */
HANDLER(cmd_hdel);
HANDLER(cmd_hexists);
HANDLER(cmd_hget);
HANDLER(cmd_hgetall);
HANDLER(cmd_hincrby);
HANDLER(cmd_hincrbyfloat);
HANDLER(cmd_hkeys);
HANDLER(cmd_hlen);
HANDLER(cmd_hmget);
HANDLER(cmd_hmset);
HANDLER(cmd_hrandfield);
HANDLER(cmd_hscan);
HANDLER(cmd_hset);
HANDLER(cmd_hsetnx);
HANDLER(cmd_hstrlen);
HANDLER(cmd_hvals);

/* set */
HANDLER(cmd_sadd);
HANDLER(cmd_scard);
HANDLER(cmd_sdiff);
HANDLER(cmd_sdiffstore);
HANDLER(cmd_sinter);
HANDLER(cmd_sintercard);
HANDLER(cmd_sinterstore);
HANDLER(cmd_sismember);
HANDLER(cmd_smembers);
HANDLER(cmd_smismember);
HANDLER(cmd_smove);
HANDLER(cmd_spop);
HANDLER(cmd_srandmember);
HANDLER(cmd_srem);
HANDLER(cmd_sscan);
HANDLER(cmd_sunion);
HANDLER(cmd_sunionstore);

/* zset */
HANDLER(cmd_bzmpop);
HANDLER(cmd_bzpopmax);
HANDLER(cmd_bzpopmin);
HANDLER(cmd_zadd);
HANDLER(cmd_zcard);
HANDLER(cmd_zcount);
HANDLER(cmd_zdiff);
HANDLER(cmd_zdiffstore);
HANDLER(cmd_zincrby);
HANDLER(cmd_zinter);
HANDLER(cmd_zintercard);
HANDLER(cmd_zinterstore);
HANDLER(cmd_zlexcount);
HANDLER(cmd_zmpop);
HANDLER(cmd_zmscore);
HANDLER(cmd_zpopmax);
HANDLER(cmd_zpopmin);
HANDLER(cmd_zrandmember);
HANDLER(cmd_zrange);
HANDLER(cmd_zrangebylex);
HANDLER(cmd_zrangebyscore);
HANDLER(cmd_zrangestore);
HANDLER(cmd_zrank);
HANDLER(cmd_zrem);
HANDLER(cmd_zremrangebylex);
HANDLER(cmd_zremrangebyrank);
HANDLER(cmd_zremrangebyscore);
HANDLER(cmd_zrevrange);
HANDLER(cmd_zrevrangebylex);
HANDLER(cmd_zrevrangebyscore);
HANDLER(cmd_zrevrank);
HANDLER(cmd_zscan);
HANDLER(cmd_zscore);
HANDLER(cmd_zunion);
HANDLER(cmd_zunionstore);

/* hyperloglog */
HANDLER(cmd_pfadd);
HANDLER(cmd_pfcount);
HANDLER(cmd_pfdebug);
HANDLER(cmd_pfmerge);
HANDLER(cmd_pfselftest);

/* geo */
HANDLER(cmd_geoadd);
HANDLER(cmd_geodist);
HANDLER(cmd_geohash);
HANDLER(cmd_geopos);
HANDLER(cmd_georadius);
HANDLER(cmd_georadius_ro);
HANDLER(cmd_georadiusbymember);
HANDLER(cmd_georadiusbymember_ro);
HANDLER(cmd_geosearch);
HANDLER(cmd_geosearchstore);

/* pubsub */
HANDLER(cmd_psubscribe);
HANDLER(cmd_publish);
HANDLER(cmd_pubsub_channels);
HANDLER(cmd_pubsub_help);
HANDLER(cmd_pubsub_numpat);
HANDLER(cmd_pubsub_numsub);
HANDLER(cmd_pubsub_shardchannels);
HANDLER(cmd_pubsub_shardnumsub);
HANDLER(cmd_punsubscribe);
HANDLER(cmd_spublish);
HANDLER(cmd_ssubscribe);
HANDLER(cmd_subscribe);
HANDLER(cmd_sunsubscribe);
HANDLER(cmd_unsubscribe);

/* transactions */
HANDLER(cmd_discard);
HANDLER(cmd_exec);
HANDLER(cmd_multi);
HANDLER(cmd_unwatch);
HANDLER(cmd_watch);

#undef HANDLER

#endif
