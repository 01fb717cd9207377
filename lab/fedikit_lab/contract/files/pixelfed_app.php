<?php

// The application that bootstrap/app.php gives back: of its container only the console kernel is there.

use Contract\Container;

return new class
{
    public function make(string $name): object
    {
        if ($name !== 'Illuminate\Contracts\Console\Kernel') {
            throw new \RuntimeException("Target class [$name] does not exist.");
        }

        return new class
        {
            public function bootstrap(): void
            {
                Container::bootstrap();
            }
        };
    }
};
