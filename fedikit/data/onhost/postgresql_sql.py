"""What PostgreSQL is asked and told when data are backed up and restored, by an owner who is no superuser."""

SNAPSHOT = """\
SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '10min';
BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SELECT pg_export_snapshot();"""

VERSION = "SELECT 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1);"
SIZE = "SELECT pg_database_size(current_database());"

_OWN_SCHEMAS = "nspname !~ '^pg_' AND nspname <> 'information_schema'"
_OF_NO_EXTENSION = """\
NOT EXISTS (SELECT FROM pg_depend d
            WHERE d.classid = '{catalogue}'::regclass AND d.objid = {alias}.oid AND deptype = 'e')"""
_OF_TABLES = _OF_NO_EXTENSION.format(catalogue="pg_class", alias="c")
_OF_ROUTINES = _OF_NO_EXTENSION.format(catalogue="pg_proc", alias="p")
_OF_TYPES = _OF_NO_EXTENSION.format(catalogue="pg_type", alias="t")

# Each row an array of JSON: a name may hold whatever it likes. `ONLY`, for an heir is a table of its own. Which
# partition a row is in by the hash of an enum differs between databases: such rows are counted together.
ROWS = rf"""
SELECT format('SELECT json_build_array(%L, count(*)) FROM %s %I.%I', format('table %I.%I', nspname, relname),
              CASE relkind WHEN 'r' THEN 'ONLY' ELSE '' END, nspname, relname)
FROM (SELECT CASE WHEN EXISTS (SELECT FROM pg_partition_ancestors(c.oid) JOIN pg_partitioned_table ON partrelid = relid
                               WHERE partclass[0] IN (SELECT oid FROM pg_opclass WHERE opcname = 'enum_ops')
                               AND partstrat = 'h')
                  THEN pg_partition_root(c.oid) ELSE c.oid END
      FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
      WHERE relkind = 'r' AND {_OWN_SCHEMAS} AND {_OF_TABLES}) counted (relation)
JOIN pg_class ON pg_class.oid = relation JOIN pg_namespace n ON n.oid = relnamespace
GROUP BY nspname, relname, relkind ORDER BY nspname, relname \gexec
"""  # noqa: S608 – made of the words above alone
# What a dump may have lost besides rows. Grants are lost: who else may read is the server's administrator's to say.
THINGS = f"""
WITH relations AS (SELECT c.* FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
                   WHERE {_OWN_SCHEMAS} AND {_OF_TABLES})
SELECT json_build_array(name, number) FROM (
  SELECT CASE relkind WHEN 'v' THEN 'views' WHEN 'm' THEN 'materialised views' WHEN 'S' THEN 'sequences'
              WHEN 'p' THEN 'partitioned tables' WHEN 'f' THEN 'foreign tables' ELSE 'indexes' END, count(*)
  FROM relations WHERE relkind IN ('v', 'm', 'S', 'p', 'f', 'i', 'I') GROUP BY 1
  UNION ALL SELECT 'grants to others', count(*) FROM relations, aclexplode(relacl) a WHERE a.grantee <> relowner
  UNION ALL SELECT 'triggers', count(*) FROM pg_trigger
            WHERE NOT tgisinternal AND tgrelid IN (SELECT oid FROM relations)
  UNION ALL SELECT 'constraints', count(*) FROM pg_constraint
            WHERE contype <> 'n' AND conrelid IN (SELECT oid FROM relations)
  UNION ALL SELECT 'functions', count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
            WHERE {_OWN_SCHEMAS} AND {_OF_ROUTINES}
  UNION ALL SELECT 'types', count(*) FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace
            WHERE typtype IN ('e', 'd', 'r') AND {_OWN_SCHEMAS} AND {_OF_TYPES}
  UNION ALL SELECT 'large objects', count(*) FROM pg_largeobject_metadata
  UNION ALL SELECT 'subscriptions', count(*) FROM pg_subscription
            WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  UNION ALL SELECT 'settings of the database', count(*) FROM pg_db_role_setting, unnest(setconfig) setting
            WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND setting NOT LIKE 'default_transaction_read_only=%'
  UNION ALL SELECT 'tables and indexes in tablespaces of their own', count(*) FROM relations WHERE reltablespace <> 0
) found (name, number) WHERE number > 0;
"""  # noqa: S608 – made of the words above alone

# What stays when the database is emptied, so that a dump must not make it again.
SCHEMAS_THAT_STAY = """\
SELECT json_build_array(nspname) FROM pg_namespace n
WHERE nspname = 'public' OR nspowner <> quote_ident(current_user)::regrole
  OR EXISTS (SELECT FROM pg_extension WHERE extnamespace = n.oid);"""

BEGIN = """\
SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET client_min_messages = warning;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid();
BEGIN;
SET LOCAL lock_timeout = '60s';"""

# All that is the role's own, but for extensions, which it might not be let make again, and schemas that they live in.
# What belongs to something else, such as a partition's index or the sequence of an identity, goes with it.
EMPTY = """\
DO $fedikit$
DECLARE thing record;
BEGIN
  FOR thing IN
    SELECT i.identity, s.objid, CASE i.type
        WHEN 'statistics object' THEN 'statistics' WHEN 'foreign-data wrapper' THEN 'foreign data wrapper'
        WHEN 'function' THEN 'routine' WHEN 'procedure' THEN 'routine' WHEN 'aggregate' THEN 'routine'
        WHEN 'composite type' THEN 'type' ELSE i.type END AS kind
    FROM pg_shdepend s, pg_identify_object(s.classid, s.objid, 0) i
    WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = quote_ident(current_user)::regrole AND s.deptype = 'o'
      AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND i.type NOT IN ('extension', 'default acl', 'user mapping')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = s.classid AND d.objid = s.objid
                      AND d.objsubid = 0 AND d.deptype IN ('e', 'i', 'P', 'S'))
      AND (i.type <> 'schema' OR i.identity <> 'public'
           AND NOT EXISTS (SELECT FROM pg_extension WHERE extnamespace = s.objid))
    ORDER BY i.type = 'schema', i.type <> 'table'
  LOOP
    IF thing.kind = 'large object' THEN
      PERFORM lo_unlink(thing.objid);
    ELSE
      EXECUTE format('DROP %s IF EXISTS %s CASCADE', thing.kind, thing.identity);
    END IF;
  END LOOP;
END
$fedikit$;"""
