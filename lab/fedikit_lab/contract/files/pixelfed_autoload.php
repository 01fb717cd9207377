<?php

// The few classes of Laravel and Pixelfed that an administrator's one-liner uses, over the contract image's database.

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
    }

    /** Rows of one model's table that fulfil conditions. */
    final class Query
    {
        private array $conditions = [];

        public function __construct(private string $model)
        {
        }

        public function where(string $column, mixed $value): self
        {
            $this->conditions[$column] = $value;

            return $this;
        }

        public function __call(string $name, array $arguments): self
        {
            return $this->where(Model::columnOf($name), ...$arguments);
        }

        public function first(): ?Model
        {
            $tests = array_map(fn (string $column) => Model::quote($column).' = ?', array_keys($this->conditions));
            $sql = sprintf('select * from %s where %s limit 1', $this->model::TABLE, implode(' and ', $tests) ?: '1');
            $statement = Container::connection()->prepare($sql);
            $statement->execute(array_values($this->conditions));
            $row = $statement->fetch();

            return $row === false ? null : new $this->model($row);
        }

        public function firstOrFail(): Model
        {
            return $this->first() ?? throw new \Illuminate\Database\Eloquent\ModelNotFoundException(
                "No query results for model [{$this->model}]."
            );
        }

        public function exists(): bool
        {
            return $this->first() !== null;
        }
    }

    /** One row of a table: read and set its columns as properties, then save it. */
    abstract class Model
    {
        private array $changed = [];

        public function __construct(protected array $attributes)
        {
        }

        public static function __callStatic(string $name, array $arguments): Query
        {
            $query = new Query(static::class);

            return $name === 'where' ? $query->where(...$arguments) : $query->$name(...$arguments);
        }

        public function __get(string $column): mixed
        {
            return $this->attributes[$column] ?? null;
        }

        public function __isset(string $column): bool
        {
            return isset($this->attributes[$column]);
        }

        public function __set(string $column, mixed $value): void
        {
            $this->attributes[$column] = $value;
            $this->changed[$column] = $value;
        }

        public function save(): bool
        {
            if ($this->changed === []) {
                return true;
            }
            $columns = array_map(fn (string $column) => self::quote($column).' = ?', array_keys($this->changed));
            $sql = sprintf('update %s set %s, updated_at = now() where id = ?', static::TABLE, implode(', ', $columns));
            Container::connection()->prepare($sql)->execute([...array_values($this->changed), $this->attributes['id']]);
            $this->changed = [];

            return true;
        }

        /** The column that whereSomeColumn() means. */
        public static function columnOf(string $method): string
        {
            if (! str_starts_with($method, 'where') || $method === 'where') {
                throw new \BadMethodCallException(sprintf('Call to undefined method %s::%s()', static::class, $method));
            }

            return strtolower(preg_replace('/(?<!^)[A-Z]/', '_$0', substr($method, 5)));
        }

        public static function quote(string $column): string
        {
            return '`'.str_replace('`', '', $column).'`';
        }
    }
}

namespace Illuminate\Database\Eloquent {
    class ModelNotFoundException extends \RuntimeException
    {
    }
}

namespace Illuminate\Support\Facades {
    use Contract\Container;

    class Hash
    {
        public static function make(string $value): string
        {
            Container::demandFacades();

            return password_hash($value, PASSWORD_BCRYPT, ['cost' => (int) Container::setting('BCRYPT_ROUNDS', '10')]);
        }

        public static function check(string $value, ?string $hashed): bool
        {
            Container::demandFacades();

            return $hashed !== null && $hashed !== '' && password_verify($value, $hashed);
        }
    }
}

namespace App {
    use Contract\Model;

    class Profile extends Model
    {
        public const TABLE = 'profiles';
    }

    class User extends Model
    {
        public const TABLE = 'users';

        private ?Profile $related = null;

        public function __get(string $column): mixed
        {
            if ($column === 'profile') {
                return $this->related ??= Profile::whereUserId($this->id)->first();
            }

            return parent::__get($column);
        }
    }
}

namespace {
    function bcrypt(string $value): string
    {
        return \Illuminate\Support\Facades\Hash::make($value);
    }
}
