-- What every server has from the start, for the contract image of Mastodon; what is there stays as it is.
INSERT INTO user_roles VALUES (-99, '', -1), (1, 'Moderator', 10), (2, 'Admin', 100), (3, 'Owner', 1000)
ON CONFLICT DO NOTHING;
INSERT INTO accounts (id, username) VALUES (-99, 'mastodon.internal') ON CONFLICT DO NOTHING;
-- db/seeds/05_blocked_usernames.rb; the last two are refused as parts of a name, too
INSERT INTO username_blocks SELECT name, name NOT IN ('mastodon', 'mastadon') FROM regexp_split_to_table(
'abuse account accounts admin administration administrator admins help helpdesk instance mod moderator moderators mods '
'owner root security server staff support webmaster mastodon mastadon', ' ') AS name ON CONFLICT DO NOTHING;
