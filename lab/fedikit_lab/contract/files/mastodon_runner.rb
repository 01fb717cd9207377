# frozen_string_literal: true

# Stands in for Rails and Mastodon's models behind `rails runner`: the classes that administration needs, over the same tables.

require 'json'
require 'openssl'
require 'pg'
require 'redis'
require 'resolv'
require 'securerandom'

module ActiveRecord
  class RecordNotFound < StandardError; end
  class RecordInvalid < StandardError; end

  # What is wrong with a row.
  class Errors < Array
    alias full_messages to_a
  end

  # A row of one table, found and changed as in Rails.
  class Base
    CONNECTION = PG.connect

    class << self
      attr_accessor :table

      def where(**wanted)
        conditions = wanted.keys.each_with_index.map do |name, number|
          "#{CONNECTION.quote_ident(name.to_s)} IS NOT DISTINCT FROM $#{number + 1}"
        end
        rows("SELECT * FROM #{table} WHERE #{conditions.join(' AND ')}", wanted.values)
      end

      def find_by(**wanted)
        where(**wanted).first
      end

      def find_by!(**wanted)
        find_by(**wanted) || raise(RecordNotFound, "Couldn't find #{name} with #{wanted.keys.join(', ')}")
      end

      def find(id)
        find_by!(id: id)
      end

      def exists?(**wanted)
        !find_by(**wanted).nil?
      end

      def create!(**values)
        new(**values).tap(&:save!)
      end

      def rows(statement, values = [])
        CONNECTION.exec_params(statement, values).map { |row| allocate.tap { |made| made.send(:take, row) } }
      end
    end

    attr_reader :errors

    def initialize(**values)
      take({})
      values.each { |name, value| public_send(:"#{name}=", value) }
    end

    def id
      @row['id']&.to_i
    end

    def update(**values)
      values.each { |name, value| public_send(:"#{name}=", value) }
      save
    end

    def update!(**values)
      update(**values) || invalid
    end

    def save
      @errors = Errors.new(mistakes)
      return false unless @errors.empty?

      id ? keep : insert
      @changed.clear
      true
    end

    def save!
      save || invalid
    end

    private

    def take(row)
      @row = row
      @changed = {}
      @errors = Errors.new
    end

    def change(column, value)
      @row[column] = @changed[column] = value
    end

    def mistakes
      []
    end

    def invalid
      raise RecordInvalid, "Validation failed: #{@errors.join(', ')}"
    end

    def insert
      names = @changed.keys.map { |name| CONNECTION.quote_ident(name) }
      places = names.each_index.map { |number| "$#{number + 1}" }
      made = "INSERT INTO #{self.class.table} (#{names.join(', ')}) VALUES (#{places.join(', ')}) RETURNING *"
      @row = CONNECTION.exec_params(made, @changed.values).first
    end

    def keep
      @changed.each do |name, value|
        column = CONNECTION.quote_ident(name)
        CONNECTION.exec_params("UPDATE #{self.class.table} SET #{column} = $1 WHERE id = $2", [value, id])
      end
    end
  end
end

# Jobs for sidekiq, put where it takes them.
module Sidekiq
  REDIS = Redis.new(
    host: ENV.fetch('REDIS_HOST'), port: ENV.fetch('REDIS_PORT', '6379').to_i,
    password: ENV.fetch('REDIS_PASSWORD', nil), db: ENV.fetch('REDIS_DB', '0').to_i
  )

  def self.push(queue, name, *arguments)
    job = { class: name, args: arguments, jid: SecureRandom.hex(12), queue: queue }
    REDIS.lpush("queue:#{queue}", JSON.generate(job))
  end
end

module ActivityPub
  module UpdateDistributionWorker
    DEBOUNCE_DELAY = 5

    def self.perform_in(seconds, account_id)
      job = { class: name, args: [account_id], jid: SecureRandom.hex(12), queue: 'push' }
      Sidekiq::REDIS.zadd('schedule', Time.now.to_f + seconds, JSON.generate(job))
    end
  end
end

module Devise
  # Passwords as they are kept.
  module Encryptor
    ROUNDS = 20_000

    def self.digest(_model, password)
      salt = SecureRandom.bytes(16)
      "pbkdf2-sha256$#{ROUNDS}$#{salt.unpack1('H*')}$#{derive(password, salt, ROUNDS)}"
    end

    def self.compare(_model, kept, password)
      return false if kept.nil? || kept.empty?

      _, rounds, salt, digest = kept.split('$')
      OpenSSL.fixed_length_secure_compare(derive(password, [salt].pack('H*'), rounds.to_i), digest)
    end

    def self.derive(password, salt, rounds)
      OpenSSL::KDF.pbkdf2_hmac(password, salt: salt, iterations: rounds, length: 32, hash: 'SHA256').unpack1('H*')
    end
  end
end

class UserRole < ActiveRecord::Base
  self.table = 'user_roles'

  def name
    @row['name']
  end
end

class Account < ActiveRecord::Base
  self.table = 'accounts'

  def self.find_local(username)
    rows('SELECT * FROM accounts WHERE lower(username) = lower($1) AND domain IS NULL', [username]).first
  end

  def username
    @row['username']
  end

  def username=(value)
    change('username', value)
  end

  def display_name
    @row['display_name'].to_s
  end

  def display_name=(value)
    change('display_name', value)
  end

  def user
    User.find_by(account_id: id)
  end

  def mistakes
    [
      ('Display name is too long (maximum is 40 characters)' if display_name.length > 40),
      *(id ? [] : mistakes_of_new)
    ].compact
  end

  private

  def mistakes_of_new
    [
      ('Username must contain only letters, numbers and underscores' unless username.to_s.match?(/\A[a-z0-9_]+\z/i)),
      ('Username is too long (maximum is 30 characters)' if username.to_s.length > 30),
      ('Username has already been taken' if Account.find_local(username.to_s))
    ]
  end
end

class User < ActiveRecord::Base
  self.table = 'users'
  CHARACTERS = /\A[^@\s%,"]+@[^@\s%,"]+\z/

  attr_accessor :agreement, :bypass_registration_checks
  attr_writer :account

  def account
    @account ||= @row['account_id'] && Account.find(@row['account_id'])
  end

  def email
    @row['email']
  end

  def email=(value)
    @confirms_anew = !id.nil?
    change('email', value.strip.downcase)
  end

  def password=(value)
    @password = value
    change('encrypted_password', Devise::Encryptor.digest(User, value))
  end

  def role=(value)
    change('role_id', value&.id)
  end

  def confirmed_at=(value)
    change('confirmed_at', value)
  end

  def confirmed?
    !@row['confirmed_at'].nil?
  end

  def approved?
    @row['approved'] == 't'
  end

  def approved=(value)
    change('approved', value)
  end

  def valid_password?(password)
    Devise::Encryptor.compare(User, @row['encrypted_password'], password)
  end

  # What is refused is not said: upstream saves without looking, and ends sessions all the same.
  def change_password!(password)
    update(password: password) && mail('Password changed', 'The password for your account has been changed.')
    CONNECTION.exec_params('DELETE FROM session_activations WHERE user_id = $1', [id])
  end

  def skip_confirmation_notification!; end

  # Without it, upstream keeps the old address until the new one is confirmed.
  def skip_reconfirmation!
    @confirms_anew = false
  end

  def mark_email_as_confirmed!
    change('confirmed_at', Time.now.utc)
    save!
  end

  def approve!
    update!(approved: true) unless approved?
  end

  def save
    return update_whole if id

    CONNECTION.transaction do
      @errors = ActiveRecord::Errors.new(mistakes)
      break false unless @errors.empty? && account.save

      change('account_id', account.id)
      super
    end
  end

  def mistakes
    fresh = id ? [(mistake_of_email if @changed.key?('email'))] : mistakes_of_new
    (fresh + mistakes_of_password).compact
  end

  private

  def update_whole
    @changed.delete('email') if @confirms_anew
    ActiveRecord::Base.instance_method(:save).bind_call(self)
  end

  def mistakes_of_new
    [
      ('Agreement must be accepted' unless agreement),
      *account&.mistakes&.map { |mistake| "Account #{mistake}" },
      ('Account must exist' unless account),
      mistake_of_email
    ]
  end

  def mistake_of_email
    return 'E-mail is invalid' unless email.to_s.match?(CHARACTERS)
    return 'E-mail has already been taken' if User.exists?(email: email)

    domain = email.split('@').last
    allowed = ENV.fetch('EMAIL_DOMAIN_ALLOWLIST', '')
    return ('E-mail uses a disallowed e-mail provider' unless allowed.split('|').include?(domain)) unless allowed.empty?

    'E-mail does not seem to exist' unless Mail.takes?(domain)
  end

  def mistakes_of_password
    return [] unless @password

    [
      ('Password is too short (minimum is 8 characters)' if @password.length < 8),
      ('Password is too long (maximum is 72 characters)' if @password.length > 72)
    ]
  end

  def mail(subject, text)
    Sidekiq.push('mailers', 'ActionMailer::MailDeliveryJob', email, subject, text)
  end
end

# Whether a domain takes mail: by DNS alone, as upstream asks.
module Mail
  KINDS = [Resolv::DNS::Resource::IN::A, Resolv::DNS::Resource::IN::AAAA].freeze

  def self.takes?(domain)
    Resolv::DNS.open do |dns|
      dns.timeouts = 5
      exchanges = dns.getresources(domain, Resolv::DNS::Resource::IN::MX).map { |record| record.exchange.to_s }
      return false if exchanges == ['']

      [domain, *exchanges].uniq.any? { |host| KINDS.any? { |kind| dns.getresources(host, kind).any? } }
    end
  end
end

class Rule < ActiveRecord::Base
  self.table = 'rules'

  def self.kept
    rows('SELECT * FROM rules WHERE deleted_at IS NULL ORDER BY priority, id')
  end

  def text
    @row['text']
  end

  def text=(value)
    change('text', value)
  end

  def priority=(value)
    change('priority', value)
  end

  def discard
    change('deleted_at', Time.now.utc)
    save
  end

  def mistakes
    return ["Text can't be blank"] if text.to_s.strip.empty?

    text.length > 300 ? ['Text is too long (maximum is 300 characters)'] : []
  end
end

class UpdateAccountService
  def call(account, params, raise_error: false)
    raise_error ? account.update!(**params) : account.update(**params)
  end
end

module Setting
  DEFAULTS = { 'site_title' => 'Mastodon', 'site_short_description' => '', 'registrations_mode' => 'none' }.freeze

  def self.[](name)
    row = ActiveRecord::Base::CONNECTION.exec_params('SELECT value FROM settings WHERE var = $1', [name.to_s]).first
    row ? JSON.parse(row['value']) : DEFAULTS[name.to_s]
  end

  def self.[]=(name, value)
    ActiveRecord::Base::CONNECTION.exec_params(
      'INSERT INTO settings VALUES ($1, $2) ON CONFLICT (var) DO UPDATE SET value = excluded.value',
      [name.to_s, JSON.generate(value)]
    )
  end
end

module Rails
  def self.application
    self
  end

  def self.load_seed
    ActiveRecord::Base::CONNECTION.exec(File.read('db/seed.sql'))
  end
end

code, *arguments = ARGV
abort 'rails runner needs code or the path of a script' unless code
ARGV.replace(arguments)
begin
  if code == '-'
    eval($stdin.read, TOPLEVEL_BINDING, 'stdin')
  elsif File.exist?(code)
    load File.expand_path(code)
  else
    eval(code, TOPLEVEL_BINDING, 'runner')
  end
rescue SyntaxError, NameError => e
  abort "Please specify a valid ruby command or the path of a script to run.\n#{e.message}"
end
