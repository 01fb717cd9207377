# frozen_string_literal: true

# Makes the owner's account, its name, address and password: called as `make` and the wishes as JSON; the password comes by
# standard input. What was wished last is kept beside Mastodon's own settings, so that only a new wish is carried out:
# what the owner has changed since stays. Rails takes its time to start, so nothing is asked in a run before.

MEMORY = 'fedikit_owner'

def make_user(wished, password)
  Rails.application.load_seed # does nothing to what is there; a first start that was cut off may have left it out
  user = User.new(
    account: Account.new(username: wished['username'], display_name: wished['name']),
    email: wished['email'], password: password, role: UserRole.find_by!(name: 'Owner'),
    agreement: true, bypass_registration_checks: true
  )
  user.skip_confirmation_notification!
  user.save!
  user
end

def rename(account, name)
  return if account.display_name == name

  UpdateAccountService.new.call(account, { display_name: name }, raise_error: true)
  ActivityPub::UpdateDistributionWorker.perform_in(ActivityPub::UpdateDistributionWorker::DEBOUNCE_DELAY, account.id)
end

def change_address(user, address)
  return if user.email == address

  user.email = address
  user.skip_reconfirmation! # who runs the server vouches for it, as for the first one
  abort user.errors.full_messages.join(', ') unless user.save
end

def change_password(user, password)
  return if user.valid_password?(password)

  user.change_password!(password) # also ends sessions and takes tokens back; does not say if it is refused
  abort user.errors.full_messages.join(', ') if user.errors.any?
end

wished = JSON.parse(ARGV[1])
password = $stdin.read
account = Account.find_local(wished['username'])
last = JSON.parse(Setting[MEMORY] || '{}')
is_named = last['name'] == wished['name']
has_address = last['email'] == wished['email']
has_password = Devise::Encryptor.compare(User, last['password'].to_s, password)

user = account ? account.user : make_user(wished, password)
abort "the account #{wished['username']} was deleted, and its name is not free again" unless user
user.approve!
user.mark_email_as_confirmed! unless user.confirmed?
rename(user.account, wished['name']) unless is_named
change_address(user, wished['email']) unless has_address
change_password(user, password) unless has_password
kept = { 'name' => wished['name'], 'email' => wished['email'], 'password' => Devise::Encryptor.digest(User, password) }
Setting[MEMORY] = JSON.generate(kept)
