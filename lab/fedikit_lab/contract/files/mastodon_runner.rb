# frozen_string_literal: true

# Stands in for Rails and Mastodon's models behind `rails runner`: the classes that administration needs, over the same tables.

require 'json'
require 'openssl'
require 'pg'
require 'securerandom'

module ActiveRecord
  class RecordNotFound < StandardError; end
  class RecordInvalid < StandardError; end

  # A row of one table, found and changed as in Rails.
  class Base
    CONNECTION = PG.connect

    class << self
      attr_accessor :table

      def find_by(**wanted)
        conditions = wanted.keys.each_with_index.map do |name, number|
          "#{CONNECTION.quote_ident(name.to_s)} IS NOT DISTINCT FROM $#{number + 1}"
        end
        row = CONNECTION.exec_params("SELECT * FROM #{table} WHERE #{conditions.join(' AND ')} LIMIT 1", wanted.values).first
        row && new(row)
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
    end

    def initialize(row)
      @row = row
    end

    def id
      @row['id'].to_i
    end

    def reload
      @row = self.class.find(id).instance_variable_get(:@row)
      self
    end

    def update!(**values)
      values.each { |name, value| change(name, value) }
      true
    end

    private

    def keep(column, value)
      name = CONNECTION.quote_ident(column.to_s)
      CONNECTION.exec_params("UPDATE #{self.class.table} SET #{name} = $1 WHERE id = $2", [value, id])
      @row[column.to_s] = value
    end

    def invalid(message)
      raise RecordInvalid, "Validation failed: #{message}"
    end

    def change(name, _value)
      raise NoMethodError, "undefined method `#{name}=' for an instance of #{self.class}"
    end
  end
end

class User < ActiveRecord::Base
  self.table = 'users'
  ROUNDS = 20_000

  def self.digest(password, salt, rounds)
    OpenSSL::KDF.pbkdf2_hmac(password, salt: salt, iterations: rounds, length: 32, hash: 'SHA256').unpack1('H*')
  end

  def email
    @row['email']
  end

  def account
    Account.find(@row['account_id'])
  end

  def confirmed?
    !@row['confirmed_at'].nil?
  end

  def valid_password?(password)
    _, rounds, salt, kept = @row['encrypted_password'].split('$')
    OpenSSL.fixed_length_secure_compare(User.digest(password, [salt].pack('H*'), rounds.to_i), kept)
  end

  private

  def change(name, value)
    case name
    when :password then change_password(value)
    when :email then keep(:email, value.downcase)
    when :approved then keep(:approved, value)
    else super
    end
  end

  def change_password(password)
    invalid('Password is too short (minimum is 8 characters)') if password.length < 8
    invalid('Password is too long (maximum is 72 characters)') if password.bytesize > 72
    salt = SecureRandom.bytes(16)
    keep(:encrypted_password, "pbkdf2-sha256$#{ROUNDS}$#{salt.unpack1('H*')}$#{User.digest(password, salt, ROUNDS)}")
    CONNECTION.exec_params('DELETE FROM session_activations WHERE user_id = $1', [id])
  end
end

class Account < ActiveRecord::Base
  self.table = 'accounts'

  def self.find_local(username)
    row = CONNECTION.exec_params('SELECT * FROM accounts WHERE lower(username) = lower($1) AND domain IS NULL', [username]).first
    row && new(row)
  end

  def username
    @row['username']
  end

  def display_name
    @row['display_name']
  end

  def user
    User.find_by(account_id: id)
  end

  private

  def change(name, value)
    return super unless name == :display_name

    invalid('Display name is too long (maximum is 30 characters)') if value.length > 30
    keep(:display_name, value)
  end
end

module Setting
  DEFAULTS = { 'site_title' => 'Mastodon', 'site_short_description' => '', 'registrations_mode' => 'none' }.freeze

  def self.[](name)
    row = ActiveRecord::Base::CONNECTION.exec_params('SELECT value FROM settings WHERE var = $1', [name.to_s]).first
    row ? row['value'] : DEFAULTS[name.to_s]
  end

  def self.[]=(name, value)
    ActiveRecord::Base::CONNECTION.exec_params(
      'INSERT INTO settings VALUES ($1, $2) ON CONFLICT (var) DO UPDATE SET value = excluded.value', [name.to_s, value.to_s]
    )
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
