# frozen_string_literal: true

# Keeps settings and rules in Mastodon's database: MODE (check or make) and the wishes as JSON. What was wished last is
# kept beside them, so that only a new wish is carried out: what an administrator has changed since stays.

MEMORY = 'fedikit_settings'

def replace_rules(wished, last)
  kept = Rule.kept.to_a
  kept.select { |rule| (last - wished).include?(rule.text) }.each(&:discard)
  (wished - kept.map(&:text)).each { |text| Rule.create!(text: text, priority: wished.index(text)) }
end

mode = ARGV[0]
wished = JSON.parse(ARGV[1])
last = JSON.parse(Setting[MEMORY] || '{}')
exit wished == last if mode == 'check'

contact = wished['site_contact_username']
abort "there is no account called #{contact}, whom visitors could turn to" if contact && !Account.find_local(contact)

wished.except('rules').each { |name, value| Setting[name] = value unless last[name] == value }
replace_rules(wished.fetch('rules', []), last.fetch('rules', []))
Setting[MEMORY] = JSON.generate(wished)
