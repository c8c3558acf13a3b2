// kv_write
