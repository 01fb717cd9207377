#!/bin/sh
# What the image has in its `storage`, and what Laravel cannot start without, in the volume that is mounted over it.
# Never writes over what is there. A file comes whole or not at all: this may be killed, and done again.
#
#     make|check IMAGE VOLUME
set -eu

verb=$1 image=$2 volume=$3

folders() {
    printf '%s\n' app/public framework/cache/data framework/sessions framework/views logs
    find . -mindepth 1 -type d
}

is_missing() {
    [ ! -e "$volume/$1" ] && [ ! -L "$volume/$1" ]
}

cd "$image"
folders | while IFS= read -r folder; do
    is_missing "$folder" || continue
    [ "$verb" = make ] || exit 1
    mkdir -p "$volume/$folder"
done
find . -type f | while IFS= read -r file; do
    is_missing "$file" || continue
    [ "$verb" = make ] || exit 1
    cp "$file" "$volume/$file.part"
    mv "$volume/$file.part" "$volume/$file"
done
