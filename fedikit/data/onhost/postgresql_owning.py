"""What in a database of PostgreSQL its application's role could not make anew: found before it is backed up."""

from dataclasses import dataclass

_THING = "i.type || ' ' || i.identity"
_FOUND = """\
SELECT {thing}
FROM {table} c, pg_identify_object('{catalogue}'::regclass, c.oid, 0) i
WHERE {condition} AND c.oid >= 16384 AND NOT EXISTS (
  SELECT FROM pg_depend d WHERE d.classid = '{catalogue}'::regclass AND d.objid = c.oid AND deptype IN ('e', 'i'))
"""
_UNTRUSTED = "SELECT oid FROM pg_language WHERE NOT lanpltrusted"
_SELF = "quote_ident(current_user)::regrole"
_OWNED = {
    "pg_class": ("relowner", "relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND relpersistence <> 't'"),
    "pg_proc": ("proowner", "true"),
    "pg_type": ("typowner", "typtype IN ('e', 'd', 'r')"),
    "pg_event_trigger": ("evtowner", "true"),
    "pg_publication": ("pubowner", "true"),
    "pg_foreign_server": ("srvowner", "true"),
    "pg_foreign_data_wrapper": ("fdwowner", "true"),
    "pg_largeobject": ("lomowner", "true"),
    "pg_collation": ("collowner", "collnamespace <> 'pg_catalog'::regnamespace"),
    "pg_conversion": ("conowner", "true"),
    "pg_operator": ("oprowner", "true"),
    "pg_ts_config": ("cfgowner", "true"),
    "pg_ts_dict": ("dictowner", "true"),
}
"""By catalogue: who owns a thing of it, and which of them are meant."""
_TABLES = {"pg_largeobject": "pg_largeobject_metadata"}
"""Where the things of a catalogue stand, if not there."""
_BEYOND = {
    "pg_proc": f"proowner = {_SELF} AND prokind <> 'a' AND prolang IN ({_UNTRUSTED})",
    "pg_opclass": "true",
    "pg_opfamily": "true",
    "pg_language": "true",
    "pg_cast": "castmethod = 'b'",
}
"""What only a superuser may make, whoever owns it then."""


@dataclass(frozen=True)
class Obstacle:
    """Something that could not be made anew: the question for it, what it is in words, and what helps."""

    question: str
    words: str
    hint: str


def _asked(*questions: str) -> str:
    found = " UNION ".join(questions)
    return f"SELECT json_build_array(thing) FROM ({found}) found (thing) ORDER BY thing LIMIT 20;"  # noqa: S608 – own words


def _found(thing: str, catalogue: str, condition: str) -> str:
    table = _TABLES.get(catalogue, catalogue)
    return _FOUND.format(thing=thing, table=table, catalogue=catalogue, condition=condition)


_OTHERS = _asked(
    *(
        _found(f"{_THING} || ' (' || pg_get_userbyid({owner}) || ')'", name, f"{owner} <> {_SELF} AND {own}")
        for name, (owner, own) in _OWNED.items()
    )
)
_SCHEMAS = f"""\
SELECT n.nspname FROM pg_namespace n
WHERE NOT (has_schema_privilege(n.oid, 'CREATE') AND has_schema_privilege(n.oid, 'USAGE')) AND EXISTS (
  SELECT FROM pg_class c WHERE relnamespace = n.oid AND relowner = {_SELF} AND relpersistence <> 't' AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND deptype = 'e'))
  AND n.nspname !~ '^pg_'
"""  # noqa: S608 – made of the words above alone
OBSTACLES = (
    Obstacle(
        _OTHERS,
        "the database {name} holds what is not {user}'s, who could not restore it: {found}",
        "as the server's administrator, give it to {user} (ALTER … OWNER TO), or drop it",
    ),
    Obstacle(
        _asked(*(_found(_THING, name, condition) for name, condition in _BEYOND.items())),
        "the database {name} holds what only a superuser can make, so {user} could not restore it: {found}",
        "as the server's administrator, make it part of an extension, or drop it",
    ),
    Obstacle(
        _asked(_SCHEMAS),
        "{user} could not restore what is in these schemas of the database {name}, for they are others': {found}",
        "as the server's administrator: GRANT USAGE, CREATE ON SCHEMA … TO {user}",
    ),
)
