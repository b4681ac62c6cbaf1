-- Our tables and all partitions, with what a role may do to each by whatever way.
SELECT relname AS name, relispartition AS is_partition,
       ARRAY(SELECT held
             FROM unnest(ARRAY['SELECT', 'INSERT', 'DELETE', 'TRUNCATE', 'TRIGGER', 'MAINTAIN'])
                 AS asked (held)
             WHERE has_table_privilege(CAST(:role AS name), pg_class.oid, held))
       || CASE WHEN has_any_column_privilege(CAST(:role AS name), pg_class.oid, 'REFERENCES')
               THEN ARRAY['REFERENCES'] ELSE '{}' END AS held,
       ARRAY(SELECT attname::text FROM pg_attribute
             WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
               AND has_column_privilege(CAST(:role AS name), pg_class.oid, attnum, 'UPDATE'))
           AS changed
FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
  AND (relname = ANY(:names) OR relispartition)
ORDER BY relname
