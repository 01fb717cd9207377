<?php

// The client by which Pixelfed itself gives out tokens: sign-up in apps and personal tokens fail without one.
//
//     make|check

use Illuminate\Contracts\Console\Kernel;
use Illuminate\Support\Facades\Artisan;
use Laravel\Passport\ClientRepository;

require 'vendor/autoload.php';
(require 'bootstrap/app.php')->make(Kernel::class)->bootstrap();

function has_client(): bool
{
    try {
        app(ClientRepository::class)->personalAccessClient('users');

        return true;
    } catch (RuntimeException) {
        return false;
    }
}

if ($argv[1] === 'make' && ! has_client()) {
    Artisan::call('passport:client', [
        '--personal' => true,
        '--name' => 'Pixelfed',
        '--provider' => 'users',
        '--no-interaction' => true,
    ]);
}
exit(has_client() ? 0 : 1);
