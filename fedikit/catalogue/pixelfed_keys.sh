#!/bin/sh
# The keys that sign what Pixelfed lets apps do: made once, for whoever has signed in by them is out with new ones.
#
#     make|check
set -eu

[ -f storage/oauth-private.key ] && [ -f storage/oauth-public.key ] && exit 0
[ "$1" = make ] || exit 1
# One without the other is what is left when this was killed
exec php artisan passport:keys --force
