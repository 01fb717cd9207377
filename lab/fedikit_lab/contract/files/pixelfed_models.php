<?php

// Models of the contract image of Pixelfed, in the place where upstream has them since 0.14: App\Models.

namespace Contract {
    /** Rows of one model's table. */
    final class Query extends Table
    {
        private bool $hasDeleted = false;

        public function __construct(private string $model)
        {
            parent::__construct(self::quote($model::TABLE));
        }

        public function __call(string $name, array $arguments): static
        {
            if (! str_starts_with($name, 'where') || $name === 'where') {
                throw new \BadMethodCallException("Call to undefined method {$this->model}::$name()");
            }

            return $this->where(strtolower(preg_replace('/(?<!^)[A-Z]/', '_$0', substr($name, 5))), ...$arguments);
        }

        public function withTrashed(): static
        {
            $this->hasDeleted = true;

            return $this;
        }

        public function exists(): bool
        {
            return $this->first() !== null;
        }

        public function first(): ?Model
        {
            foreach ($this->ask("select * from {$this->table}")->fetchAll() as $row) {
                if ($this->hasDeleted || ! isset($row['deleted_at'])) {
                    return new $this->model($row);
                }
            }

            return null;
        }

        public function firstOrFail(): Model
        {
            return $this->first() ?? throw new \Illuminate\Database\Eloquent\ModelNotFoundException(
                "No query results for model [{$this->model}]."
            );
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
            return (new Query(static::class))->$name(...$arguments);
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
            if ($this->changed !== []) {
                (new Table(Table::quote(static::TABLE)))->where('id', $this->attributes['id'])->update($this->changed);
            }
            $this->changed = [];

            return true;
        }
    }
}

namespace Illuminate\Database\Eloquent {
    class ModelNotFoundException extends \RuntimeException
    {
    }
}

namespace App\Models {
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

namespace App\Services {
    class AccountService
    {
        public static function del(int|string $profile): bool
        {
            return \Illuminate\Support\Facades\Cache::forget("pf:services:account:$profile");
        }
    }
}
