<?php

// The initial user of the configuration, in Pixelfed.
//
//     make|check account USERNAME EMAIL NAME   an administrator whose address is confirmed
//     make|check address USERNAME EMAIL        the address by which the user signs in
//     make|check name USERNAME NAME            the name that others see
//     make|check password USERNAME             the password, which comes on standard input

use Illuminate\Contracts\Console\Kernel;
use Illuminate\Support\Facades\Artisan;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Hash;

require 'vendor/autoload.php';
(require 'bootstrap/app.php')->make(Kernel::class)->bootstrap();

/** The class of users that exists: it moved with 0.14. */
function users(): string
{
    return class_exists('App\Models\User') ? 'App\Models\User' : 'App\User';
}

function fail(string $why): never
{
    fwrite(STDERR, "$why\n");
    exit(1);
}

function make_account(string $username, string $email, string $name): void
{
    if (users()::withTrashed()->whereUsername($username)->exists()) {
        fail("$username was deleted in Pixelfed, and its name cannot be taken again");
    }
    Artisan::call('user:create', [
        '--name' => $name,
        '--username' => $username,
        '--email' => $email,
        '--password' => bin2hex(random_bytes(24)),  // the real one is set afterwards
        '--is_admin' => 'true',
        '--confirm_email' => '1',
    ]);
    users()::whereUsername($username)->first() ?? fail(Artisan::output());
}

/** Whoever runs the server vouches for it, as for the first one. */
function set_address(object $user, string $email): void
{
    $other = users()::withTrashed()->whereEmail($email)->first();
    if ($other !== null && $other->id !== $user->id) {
        fail("another account of Pixelfed has the address $email: $other->username");
    }
    $user->email = $email;
    $user->email_verified_at ??= date('Y-m-d H:i:s');
    $user->save();
}

function rename_user(object $user, string $name): void
{
    foreach ([$user, $user->profile] as $one) {
        $one->name = $name;
        $one->save();
    }
    App\Services\AccountService::del($user->profile->id);
}

/** Whoever came in by the old password is out: sessions, cookies that remember, and apps. */
function set_password(object $user, string $password): void
{
    $user->password = Hash::make($password);
    $user->remember_token = null;
    $user->save();
    DB::table('sessions')->where('user_id', $user->id)->delete();
    $tokens = DB::table('oauth_access_tokens')->where('user_id', $user->id)->pluck('id');
    DB::table('oauth_refresh_tokens')->whereIn('access_token_id', $tokens)->update(['revoked' => true]);
    DB::table('oauth_access_tokens')->whereIn('id', $tokens)->update(['revoked' => true]);
}

[, $verb, $subject, $username] = $argv;
$words = array_slice($argv, 4);
$password = $subject === 'password' ? stream_get_contents(STDIN) : '';
$user = users()::whereUsername($username)->first();
if ($subject !== 'account' && $user === null) {
    fail("Pixelfed has no user $username");
}
$holds = match ($subject) {
    'account' => $user !== null,
    'address' => strtolower($user->email) === $words[0],
    'name' => $user->name === $words[0] && $user->profile->name === $words[0],
    'password' => Hash::check($password, $user->password),
};
if ($verb === 'check' || $holds) {
    exit($holds ? 0 : 1);
}
match ($subject) {
    'account' => make_account($username, ...$words),
    'address' => set_address($user, $words[0]),
    'name' => rename_user($user, $words[0]),
    'password' => set_password($user, $password),
};
