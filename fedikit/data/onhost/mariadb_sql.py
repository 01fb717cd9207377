"""What MariaDB is asked and told when data are backed up and restored; each answer is a line of JSON."""

SESSION = """\
SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES', lock_wait_timeout = 60, max_statement_time = 0, foreign_key_checks = 0;
"""
DATABASES = "SELECT JSON_ARRAY(SCHEMA_NAME) FROM information_schema.SCHEMATA;\n"
VERSION = "SELECT CONCAT('MariaDB ', SUBSTRING_INDEX(VERSION(), '-', 1));\n"
PACKET = "SELECT @@global.max_allowed_packet;\n"
SIZE = """\
SELECT CAST(COALESCE(SUM(DATA_LENGTH + INDEX_LENGTH), 0) AS UNSIGNED)
FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE();
"""
TABLES = """\
SELECT JSON_ARRAY(TABLE_NAME) FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY TABLE_NAME;
"""
# What a dump does not hold as it was at one moment, or not with its history.
UNSOUND = """\
SELECT JSON_ARRAY(CONCAT(
  TABLE_NAME, ' (', COALESCE(IF(TABLE_TYPE = 'SYSTEM VERSIONED', TABLE_TYPE, ENGINE), 'broken'), ')'))
FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND (TABLE_TYPE = 'SYSTEM VERSIONED'
  OR TABLE_TYPE = 'BASE TABLE' AND NOT ENGINE <=> 'InnoDB') ORDER BY TABLE_NAME;
"""
THINGS = """\
SELECT JSON_ARRAY(name, number) FROM (
  SELECT 'views' AS name, COUNT(*) AS number FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE()
  UNION ALL SELECT 'sequences', COUNT(*) FROM information_schema.TABLES
            WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'SEQUENCE'
  UNION ALL SELECT 'triggers', COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()
  UNION ALL SELECT 'routines', COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()
  UNION ALL SELECT 'events', COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()
  UNION ALL SELECT 'constraints', COUNT(*) FROM information_schema.TABLE_CONSTRAINTS WHERE TABLE_SCHEMA = DATABASE()
  UNION ALL SELECT 'indexes', COUNT(DISTINCT TABLE_NAME, INDEX_NAME) FROM information_schema.STATISTICS
            WHERE TABLE_SCHEMA = DATABASE()) found WHERE number > 0;
"""
# Who is still there as the application, such as a restore that was killed, holds tables that are to go.
SEND_AWAY = """\
DELIMITER //
BEGIN NOT ATOMIC
  DECLARE CONTINUE HANDLER FOR 1094 BEGIN END;
  FOR other IN (SELECT ID FROM information_schema.PROCESSLIST
                WHERE DB = DATABASE() AND USER = SUBSTRING_INDEX(USER(), '@', 1) AND ID <> CONNECTION_ID())
  DO KILL other.ID; END FOR;
END//
DELIMITER ;
"""
# Only there, packages of routines have a name that can be dropped.
DROPPING = "SET SESSION sql_mode = 'ORACLE';\n"
# Rows may be older than a check on them, or than what it calls.
AS_IT_WAS = b"SET SESSION check_constraint_checks = 0;\n"
# Triggers go with their tables.
DROPS = """\
SELECT JSON_ARRAY(CONCAT('DROP ', kind, ' IF EXISTS `', REPLACE(name, '`', '``'), '`;')) FROM (
  SELECT 1 AS place, 'EVENT' AS kind, EVENT_NAME AS name FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()
  UNION ALL SELECT IF(TABLE_TYPE = 'VIEW', 2, IF(TABLE_TYPE = 'SEQUENCE', 4, 3)),
            IF(TABLE_TYPE IN ('VIEW', 'SEQUENCE'), TABLE_TYPE, 'TABLE'), TABLE_NAME
            FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()
  UNION ALL SELECT 5, ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.ROUTINES
            WHERE ROUTINE_SCHEMA = DATABASE()) found ORDER BY place;
"""


def rows_of_table(name: str) -> str:
    """Counts a table's rows, by the words that counts have for it."""
    text, quoted = name.replace("'", "''"), name.replace("`", "``")
    return f"SELECT JSON_ARRAY('table {text}', COUNT(*)) FROM `{quoted}`;\n"  # noqa: S608 – quoted here
