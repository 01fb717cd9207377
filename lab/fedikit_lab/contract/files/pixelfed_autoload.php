<?php

// The few classes of Laravel and Passport that an administrator's script uses, over the contract image's database.

namespace Contract {
    /** What bootstrapping the kernel makes ready; before that, models and facades fail as Laravel's do. */
    final class Container
    {
        private static ?\PDO $connection = null;

        public static function bootstrap(): void
        {
            $source = sprintf(
                'mysql:host=%s;port=%s;dbname=%s;charset=utf8mb4',
                self::setting('DB_HOST', '127.0.0.1'),
                self::setting('DB_PORT', '3306'),
                self::setting('DB_DATABASE', 'forge'),
            );
            $how = [\PDO::ATTR_ERRMODE => \PDO::ERRMODE_EXCEPTION, \PDO::ATTR_DEFAULT_FETCH_MODE => \PDO::FETCH_ASSOC];
            $user = self::setting('DB_USERNAME', 'forge');
            self::$connection = new \PDO($source, $user, self::setting('DB_PASSWORD', ''), $how);
        }

        public static function connection(): \PDO
        {
            return self::$connection ?? throw new \Error('Call to a member function connection() on null');
        }

        public static function demandFacades(): void
        {
            if (self::$connection === null) {
                throw new \RuntimeException('A facade root has not been set.');
            }
        }

        public static function setting(string $name, string $usual): string
        {
            $value = getenv($name);

            return $value === false ? $usual : $value;
        }

        /** Runs one of the commands that the other language of this image brings: its exit code and what it said. */
        public static function command(string ...$words): array
        {
            self::demandFacades();
            $command = [...json_decode(self::setting('CONTRACT_ARTISAN', '[]')), ...$words];
            $streams = [['file', '/dev/null', 'r'], ['pipe', 'w'], ['redirect', 1]];
            $running = proc_open($command, $streams, $pipes);
            $said = stream_get_contents($pipes[1]);

            return [proc_close($running), $said];
        }
    }

    /** Rows of one table that fulfil conditions. */
    class Table
    {
        /** @var array<string, array> the values that a column may have */
        private array $conditions = [];

        public function __construct(protected string $table)
        {
        }

        public function where(string $column, mixed $value): static
        {
            return $this->whereIn($column, [$value]);
        }

        public function whereIn(string $column, iterable $values): static
        {
            $this->conditions[self::quote($column)] = [...$values];

            return $this;
        }

        public function exists(): bool
        {
            return $this->count() > 0;
        }

        public function count(): int
        {
            return (int) $this->ask("select count(*) from {$this->table}")->fetchColumn();
        }

        public function pluck(string $column): array
        {
            return $this->ask('select '.self::quote($column)." from {$this->table}")->fetchAll(\PDO::FETCH_COLUMN);
        }

        public function update(array $values): int
        {
            $columns = array_map(fn (string $column) => self::quote($column).' = ?', array_keys($values));
            $given = array_map(fn (mixed $value) => is_bool($value) ? (int) $value : $value, array_values($values));

            return $this->ask("update {$this->table} set ".implode(', ', $columns), $given)->rowCount();
        }

        public function delete(): int
        {
            return $this->ask("delete from {$this->table}")->rowCount();
        }

        protected function ask(string $statement, array $given = []): \PDOStatement
        {
            $tests = [];
            foreach ($this->conditions as $column => $values) {
                $marks = implode(', ', array_fill(0, count($values), '?'));
                $tests[] = $values === [] ? 'false' : "$column in ($marks)";
                $given = [...$given, ...$values];
            }
            $query = Container::connection()->prepare($statement.' where '.(implode(' and ', $tests) ?: 'true'));
            $query->execute($given);

            return $query;
        }

        public static function quote(string $column): string
        {
            return '`'.str_replace('`', '', $column).'`';
        }
    }
}

namespace Illuminate\Support\Facades {
    use Contract\Container;
    use Contract\Table;

    class Hash
    {
        public static function make(string $value): string
        {
            Container::demandFacades();

            return password_hash($value, PASSWORD_BCRYPT, ['cost' => (int) Container::setting('BCRYPT_COST', '10')]);
        }

        public static function check(string $value, ?string $hashed): bool
        {
            Container::demandFacades();

            return $hashed !== null && $hashed !== '' && password_verify($value, $hashed);
        }
    }

    class DB
    {
        public static function table(string $name): Table
        {
            Container::demandFacades();

            return new Table(Table::quote($name));
        }
    }

    class Artisan
    {
        private static string $said = '';

        /** A command that cannot be carried out is an exception, as Laravel's own are. */
        public static function call(string $name, array $options = []): int
        {
            $words = array_filter($options, fn (mixed $value) => $value !== false);
            $words = array_map(
                fn (string $option, mixed $value) => $value === true ? $option : "$option=$value",
                array_keys($words),
                $words,
            );
            [$status, self::$said] = Container::command($name, ...$words);

            return $status === 0 ? 0 : throw new \RuntimeException(self::$said);
        }

        public static function output(): string
        {
            return self::$said;
        }
    }

    class Cache
    {
        public static function forget(string $name): bool
        {
            return Container::command('contract:forget', "--name=$name")[0] === 0;
        }
    }
}

namespace Laravel\Passport {
    use Contract\Container;

    class ClientRepository
    {
        public function personalAccessClient(string $provider): object
        {
            $query = Container::connection()->prepare(
                'select id from oauth_clients where provider = ? and grant_types like \'%"personal_access"%\' '
                .'and not revoked order by id desc limit 1'
            );
            $query->execute([$provider]);
            $row = $query->fetch();

            return $row === false
                ? throw new \RuntimeException("Personal access client not found for '$provider' user provider.")
                : (object) $row;
        }
    }
}

namespace {
    require __DIR__.'/models.php';

    function app(string $name): object
    {
        Contract\Container::demandFacades();

        return new $name;
    }

    function bcrypt(string $value): string
    {
        return Illuminate\Support\Facades\Hash::make($value);
    }

    function storage_path(string $path): string
    {
        return getcwd()."/storage/$path";
    }
}
