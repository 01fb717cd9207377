[ "$1" = check ] && exit 1
echo "$2"
