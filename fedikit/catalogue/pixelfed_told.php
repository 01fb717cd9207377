<?php

// What Pixelfed tells of itself, told anew: it keeps its rules for a week and its title for half an hour, and forgets
// them only when an administrator saves others. This runs when the settings change, which are its arguments.
//
//     make|check SETTINGS

use Illuminate\Contracts\Console\Kernel;
use Illuminate\Support\Facades\Cache;

if ($argv[1] === 'check') {
    exit(1);
}
require 'vendor/autoload.php';
(require 'bootstrap/app.php')->make(Kernel::class)->bootstrap();
foreach (
    [
        'api:v1:instance-data-response-v1',
        'api:v2:instance-data-response-v2',
        'api:v1:instance-data:rules',
        'api:v1:instance-data:contact',
        'api:nodeinfo',
    ] as $kept
) {
    Cache::forget($kept);
}
